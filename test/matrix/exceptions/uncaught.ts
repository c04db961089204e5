// Catches what nobody catches, while a test runs in which a listener throws.

export class Uncaught {
  readonly errors: unknown[] = []

  start(): void {
    // in the place of any other handler, so that a test framework does not take the exception for its own
    process.setUncaughtExceptionCaptureCallback(error => this.errors.push(error))
  }

  stop(): void {
    process.setUncaughtExceptionCaptureCallback(null)
  }
}
