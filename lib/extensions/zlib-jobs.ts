// Limits how many jobs of the process are in the thread pool at the same time; the others wait in order. Knows nothing of the work.

/** A job for the thread pool. */
export interface Job {
  /** Starts the job, which calls `leave` when it is done. */
  begin(): void
}

interface Waiting {
  readonly job: Job
  readonly limit: number
  next: Waiting | null
}

/** Limits jobs because zlib allocates large pieces of memory: many jobs at the same time fragment the heap. */
export class JobQueue {
  private running = 0
  private first: Waiting | null = null
  private last: Waiting | null = null
  private beginning = false

  /** @param limit - the job starts when fewer than this many are running; jobs that waited before it start first */
  enter(job: Job, limit: number): void {
    const waiting = { job, limit, next: null }
    if (this.last === null) this.first = waiting
    else this.last.next = waiting
    this.last = waiting
    this.proceed()
  }

  /** A job is done. */
  leave(): void {
    this.running--
    this.proceed()
  }

  private proceed(): void {
    // a job that finishes at once calls this again
    if (this.beginning) return
    this.beginning = true
    while (this.first !== null && this.running < this.first.limit) {
      const { job, next } = this.first
      this.first = next
      if (next === null) this.last = null
      this.running++
      job.begin()
    }
    this.beginning = false
  }
}

/** The queue of this process. */
export const jobs = new JobQueue()
