// What a function of the application has thrown, as an Error.

export function thrownError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error('a value that is not an Error was thrown', { cause: thrown })
}
