// Ways to feed the same bytes to a parser, and a measure of growth that does not depend on the speed of the machine.

/** The ways to feed a parser: each case of a head runs through all of them. */
export const WAYS: Record<string, (bytes: Buffer) => Buffer[]> = {
  whole: bytes => [bytes],
  'byte by byte': bytes => Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)),
  'in halves': bytes => [bytes.subarray(0, bytes.length >> 1), bytes.subarray(bytes.length >> 1)],
  'in sevens': bytes =>
    Array.from({ length: Math.ceil(bytes.length / 7) }, (_, i) =>
      bytes.subarray(i * 7, Math.min(i * 7 + 7, bytes.length))
    )
}

export const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

/** Far below 64, and high enough for noise. */
export const LINEAR = 24

/**
 * How many times longer `work` takes for an input eight times as large: 8 if it is linear, 64 if it is quadratic.
 * The best of several runs, each the minimum of several measurements, so that a busy machine does not matter.
 */
export function growth(work: (size: number) => () => void, size = 65536): number {
  const [small, large] = [work(size / 8), work(size)]
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 6 && least > LINEAR; i++) {
    // work that takes no time is not quadratic either: 50 µs is the minimum
    const ground = Math.max(best(small), 50)
    least = Math.min(least, best(large) / ground)
  }
  return least
}

/**
 * Microseconds of the fastest of several runs, so that interruptions by other processes do not count.
 * @param run - at least some ten microseconds of work
 */
export function best(run: () => void, runs = 7): number {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < runs; i++) {
    const start = process.cpuUsage()
    run()
    const { user, system } = process.cpuUsage(start)
    least = Math.min(least, user + system)
  }
  return least
}
