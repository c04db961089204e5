// Idle engines by kind. A connection without context takeover, or one that was idle, borrows an engine for each message (RFC 7692 §7.1.1).

import { outsideContexts } from '../runtime/node.js'
import type { Engine, EngineKind } from './engine.js'
import { type Holder, type IdleSweeper, idleSweeper } from './idle-sweeper.js'
import { StreamEngine } from './stream-engine.js'
import { ZlibEngine } from './zlib-engine.js'
import { zlibProbe } from './zlib-probe.js'

/** Maximum idle engines of one kind; more are useful only if more messages are processed at the same time. */
const KEPT = 8

export class EnginePool implements Holder {
  lastUsed = 0

  private readonly free = new Map<number, Engine[]>()

  /** @param make - makes an engine; replaced in tests */
  constructor(
    private readonly sweeper: IdleSweeper,
    public make: (kind: EngineKind) => Engine = makeEngine
  ) {}

  /** An engine without history. It belongs to the caller until `put`. */
  take(kind: EngineKind): Engine {
    this.lastUsed = this.sweeper.time
    return this.free.get(keyOf(kind))?.pop() ?? outsideContexts(() => this.make(kind))
  }

  /** Takes back an engine that is not working in the thread pool. */
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

/** A number that is unique for each kind. */
export function keyOf({ does, windowBits, level = 0, memLevel = 0 }: EngineKind): number {
  return (does === 'deflate' ? 1 : 0) | (windowBits << 1) | (memLevel << 5) | ((level + 1) << 9)
}

/** The pool of this process. */
export const enginePool = new EnginePool(idleSweeper)
