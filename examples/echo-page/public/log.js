// The log of the page: entries with their time, newest first.

const LENGTH = 200
const list = document.getElementById('log')

/** `kind`: sent, echo, info or problem. */
export function log(kind, text) {
  const now = new Date()
  const time = document.createElement('time')
  time.dateTime = now.toISOString()
  time.textContent = `${now.toTimeString().slice(0, 8)}.${String(now.getMilliseconds()).padStart(3, '0')}`
  const entry = document.createElement('li')
  entry.dataset.kind = kind
  entry.append(time, ` ${text}`)
  list.prepend(entry)
  if (list.children.length > LENGTH) list.lastChild.remove()
}
