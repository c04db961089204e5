// Collects any number of latencies, and computes quantiles and a histogram. Stores counts in buckets instead of values, which are accurate
// to one part in 32.

/** Number of buckets for each doubling, starting at one microsecond. */
const STEPS = 32
const LEAST = 0.001
const BUCKETS = 32 * STEPS

export interface Quantiles {
  readonly min: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
  readonly mean: number
}

export interface HistogramRow {
  /** In ms. */
  readonly from: number
  readonly to: number
  readonly count: number
}

export class Latencies {
  count = 0
  private readonly buckets = new Uint32Array(BUCKETS)
  private sum = 0
  private min = Number.POSITIVE_INFINITY
  private max = 0

  add(milliseconds: number): void {
    this.count++
    this.sum += milliseconds
    if (milliseconds < this.min) this.min = milliseconds
    if (milliseconds > this.max) this.max = milliseconds
    this.buckets[bucketOf(milliseconds)]!++
  }

  /** All 0 without values. */
  get quantiles(): Quantiles {
    const { count, sum, min, max } = this
    if (count === 0) return { min: 0, p50: 0, p90: 0, p99: 0, max: 0, mean: 0 }
    return { min, p50: this.quantile(0.5), p90: this.quantile(0.9), p99: this.quantile(0.99), max, mean: sum / count }
  }

  /** At most this many rows of equal width on a logarithmic scale, from the first to the last that is not empty. */
  histogram(rows: number): HistogramRow[] {
    if (this.count === 0) return []
    const first = bucketOf(this.min)
    const width = Math.ceil((bucketOf(this.max) - first + 1) / rows)
    const all: HistogramRow[] = []
    for (let at = first; at <= bucketOf(this.max); at += width) {
      const count = this.buckets.subarray(at, at + width).reduce((sum, one) => sum + one, 0)
      all.push({ from: lowerEnd(at), to: lowerEnd(at + width), count })
    }
    return all
  }

  private quantile(part: number): number {
    let left = Math.ceil(this.count * part)
    let bucket = -1
    while (left > 0) left -= this.buckets[++bucket]!
    // the middle of the bucket, limited to the range of the values
    return Math.min(Math.max((lowerEnd(bucket) + lowerEnd(bucket + 1)) / 2, this.min), this.max)
  }
}

function bucketOf(milliseconds: number): number {
  const bucket = Math.floor(Math.log2(milliseconds / LEAST) * STEPS)
  return Math.min(Math.max(bucket, 0), BUCKETS - 1)
}

function lowerEnd(bucket: number): number {
  return LEAST * 2 ** (bucket / STEPS)
}
