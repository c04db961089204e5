// Draws sizes over the last seconds as lines on a canvas. Does not know their meaning.

const WINDOW = 30_000
const MEBIBYTE = 2 ** 20
const MARGIN = { left: 64, right: 8, top: 10, bottom: 24 }
const STEPS = 4

export class Plot {
  #canvas
  #series
  #samples = []

  /** `series`: for each line the name of a CSS custom property with its colour, and its dashes. */
  constructor(canvas, series) {
    this.#canvas = canvas
    this.#series = series
    new ResizeObserver(() => this.draw()).observe(canvas)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw())
  }

  /** Adds one sample, a number of bytes for each line, taken now. */
  add(values) {
    const at = performance.now()
    this.#samples.push({ at, values })
    // keep one sample beyond the left edge, where the line begins
    while (this.#samples.length > 1 && this.#samples[1].at < at - WINDOW) this.#samples.shift()
    this.draw()
  }

  draw() {
    const { clientWidth, clientHeight } = this.#canvas
    const width = clientWidth - MARGIN.left - MARGIN.right
    const height = clientHeight - MARGIN.top - MARGIN.bottom
    if (width <= 0 || height <= 0) return

    // setting the size clears the canvas; its pixels are those of the screen, its coordinates those of the page
    this.#canvas.width = clientWidth * devicePixelRatio
    this.#canvas.height = clientHeight * devicePixelRatio
    const context = this.#canvas.getContext('2d')
    context.scale(devicePixelRatio, devicePixelRatio)
    context.translate(MARGIN.left, MARGIN.top)

    const style = getComputedStyle(this.#canvas)
    const top = this.#top()
    drawGrid(context, style, { width, height, top })

    context.beginPath()
    context.rect(0, -2, width, height + 4)
    context.clip()
    const now = this.#samples.at(-1)?.at ?? 0
    const x = at => width * (1 - (now - at) / WINDOW)
    const y = bytes => height * (1 - bytes / top)
    for (const [index, { color, dash }] of this.#series.entries()) {
      context.strokeStyle = style.getPropertyValue(color)
      context.lineWidth = 2
      context.setLineDash(dash)
      context.beginPath()
      for (const { at, values } of this.#samples) {
        if (values[index] !== undefined) context.lineTo(x(at), y(values[index]))
      }
      context.stroke()
    }
  }

  /** The upper end of the axis: the smallest power of two times 16 MiB that no sample exceeds. */
  #top() {
    const most = Math.max(...this.#samples.flatMap(({ values }) => values.filter(Number.isFinite)), 0)
    let top = 16 * MEBIBYTE
    while (top < most) top *= 2
    return top
  }
}

function drawGrid(context, style, { width, height, top }) {
  context.strokeStyle = style.getPropertyValue('--line')
  context.fillStyle = style.getPropertyValue('--quiet')
  context.font = `12px ${style.fontFamily}`
  context.lineWidth = 1
  context.textAlign = 'right'
  context.textBaseline = 'middle'
  for (let step = 0; step <= STEPS; step++) {
    const y = Math.round(height * (1 - step / STEPS)) + 0.5
    context.beginPath()
    context.moveTo(0, y)
    context.lineTo(width, y)
    context.stroke()
    context.fillText(`${(top * step) / STEPS / MEBIBYTE} MiB`, -8, y)
  }
  context.textBaseline = 'top'
  context.fillText('now', width, height + 8)
  context.textAlign = 'left'
  context.fillText(`${WINDOW / 1000} s ago`, 0, height + 8)
}
