// Idle engines, by kind: a connection without context takeover, or one that has been idle, needs none of its own (RFC 7692 §7.1.1).

import { outsideContexts } from '../runtime/node.js'
import type { Engine, EngineKind } from './engine.js'
import { type Holder, type IdleSweeper, idleSweeper } from './idle-sweeper.js'
import { StreamEngine } from './stream-engine.js'
import { ZlibEngine } from './zlib-engine.js'
import { zlibProbe } from './zlib-probe.js'

/** Engines of one kind that are kept: of more there is use only where that many messages are under way at once. */
const KEPT = 8

export class EnginePool implements Holder {
  lastUsed = 0

  private readonly free = new Map<number, Engine[]>()

  /** @param make - makes an engine; tests change it */
  constructor(
    private readonly sweeper: IdleSweeper,
    public make: (kind: EngineKind) => Engine = makeEngine
  ) {}

  /** An engine that has seen nothing, the caller's own until it is put back. */
  take(kind: EngineKind): Engine {
    this.lastUsed = this.sweeper.time
    return this.free.get(keyOf(kind))?.pop() ?? outsideContexts(() => this.make(kind))
  }

  /** Takes back one that has no work in the thread pool. */
  put(engine: Engine): void {
    if (engine.isBroken) {
      engine.close()
      return
    }
    const key = keyOf(engine.kind)
    let engines = this.free.get(key)
    if (engines === undefined) {
      if (this.free.size === 0) this.sweeper.add(this)
      this.free.set(key, (engines = []))
    }
    if (engines.length === KEPT) {
      engine.close()
    } else {
      engine.reset()
      engines.push(engine)
    }
  }

  release(): void {
    for (const engines of this.free.values()) for (const engine of engines) engine.close()
    this.free.clear()
  }
}

function makeEngine(kind: EngineKind): Engine {
  return zlibProbe.isPassed ? new ZlibEngine(kind) : new StreamEngine(kind)
}

/** One number for each kind. */
export function keyOf({ does, windowBits, level = 0, memLevel = 0 }: EngineKind): number {
  return (does === 'deflate' ? 1 : 0) | (windowBits << 1) | (memLevel << 5) | ((level + 1) << 9)
}

/** The one of this process. */
export const enginePool = new EnginePool(idleSweeper)
