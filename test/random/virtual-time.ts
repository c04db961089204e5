// Time that passes only when it is told to, for whoever asks what time it is as well.

import { VirtualClock } from '../faults/clock.js'

export class VirtualTime extends VirtualClock {
  override install(): void {
    super.install()
    Object.defineProperty(performance, 'now', { value: () => this.now, configurable: true })
  }

  override uninstall(): void {
    super.uninstall()
    // what the prototype has comes back
    Reflect.deleteProperty(performance, 'now')
  }
}
