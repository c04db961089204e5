// Virtual time, which passes only on command, for timers and for `performance.now`.

import { VirtualClock } from '../faults/clock.js'

export class VirtualTime extends VirtualClock {
  override install(): void {
    super.install()
    Object.defineProperty(performance, 'now', { value: () => this.now, configurable: true })
  }

  override uninstall(): void {
    super.uninstall()
    // makes the method of the prototype visible again
    Reflect.deleteProperty(performance, 'now')
  }
}
