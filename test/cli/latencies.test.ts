// Quantiles and histograms of times that are not stored one by one.

import t from 'tap'
import { Latencies } from '../../lib/cli/latencies.js'

function of(times: Iterable<number>): Latencies {
  const latencies = new Latencies()
  for (const time of times) latencies.add(time)
  return latencies
}

t.test('no values', async t => {
  const none = of([])
  t.strictSame(none.quantiles, { min: 0, p50: 0, p90: 0, p99: 0, max: 0, mean: 0 })
  t.strictSame(none.histogram(10), [])
})

t.test('a single value is every quantile', async t => {
  t.strictSame(of([3.5]).quantiles, { min: 3.5, p50: 3.5, p90: 3.5, p99: 3.5, max: 3.5, mean: 3.5 })
  const [row, ...others] = of([3.5]).histogram(10)
  t.ok(row!.from <= 3.5 && row!.to > 3.5)
  t.equal(row!.count, 1)
  t.strictSame(others, [])
})

t.test('quantiles are accurate to one part in 32', async t => {
  const { min, p50, p90, p99, max, mean } = of(Array.from({ length: 10_000 }, (_, i) => (i + 1) / 100)).quantiles
  t.equal(min, 0.01)
  t.equal(max, 100)
  t.ok(Math.abs(mean - 50.005) < 0.001)
  for (const [quantile, right] of [
    [p50, 50],
    [p90, 90],
    [p99, 99]
  ] as const) {
    t.ok(Math.abs(quantile - right) / right < 1 / 32, `${quantile}`)
  }
})

t.test('the rows of a histogram count every value once', async t => {
  const latencies = of(Array.from({ length: 1000 }, (_, i) => 0.1 * 1.01 ** i))
  const rows = latencies.histogram(12)
  t.ok(rows.length <= 12)
  t.equal(
    rows.reduce((sum, { count }) => sum + count, 0),
    1000
  )
  for (const [i, { from }] of rows.entries()) if (i > 0) t.equal(from, rows[i - 1]!.to)
})

t.test('values beyond both ends are counted in the outermost buckets', async t => {
  const latencies = of([0, 1e-9, 1e9])
  t.equal(latencies.count, 3)
  t.equal(latencies.quantiles.min, 0)
  t.equal(latencies.quantiles.max, 1e9)
  t.equal(
    latencies.histogram(4).reduce((sum, { count }) => sum + count, 0),
    3
  )
})
