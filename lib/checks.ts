// Checks of what the application passes as an option; each throws at once.

/** @throws TypeError for what is no number, RangeError for what is no whole number of at least `least`, nor Infinity */
export function checkNumber(value: unknown, name: string, least: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number`)
  if (!(value >= least) || (value !== Number.POSITIVE_INFINITY && !Number.isSafeInteger(value))) {
    throw new RangeError(`${name} must be a whole number of at least ${least}, or Infinity`)
  }
  return value
}

/** @throws TypeError for anything but the two roles */
export function checkRole(value: unknown): 'server' | 'client' {
  if (value !== 'server' && value !== 'client') throw new TypeError("role must be 'server' or 'client'")
  return value
}
