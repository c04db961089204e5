// Collects uncaught exceptions while a test runs in which a listener throws.

export class Uncaught {
  readonly errors: unknown[] = []

  start(): void {
    // replaces all other handlers, so that the test framework does not report the exception
    process.setUncaughtExceptionCaptureCallback(error => this.errors.push(error))
  }

  stop(): void {
    process.setUncaughtExceptionCaptureCallback(null)
  }
}
