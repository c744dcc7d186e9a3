// Many forms come from this place just now. So that those of machines stay few, the page looks for
// a number before it sends this one: some seconds here, days for whoever sends thousands.
// It runs beside the page, which can be read, scrolled and left meanwhile.

const AT_ONCE = 400

/**
 * The number below `most` whose digest, after the salt, begins as the goal does; null if none.
 * @param {string} salt
 * @param {string} goal in hexadecimal
 * @param {number} most
 * @param {(part: number) => void} tell how much is done, from 0 to 1
 */
export async function find(salt, goal, most, tell) {
  const encoder = new TextEncoder()
  const wanted = Number.parseInt(goal.slice(0, 12), 16)
  /** @param {number} number */
  const fits = async number => {
    const digest = await crypto.subtle.digest('SHA-256', encoder.encode(`${salt}:${number}`))
    const view = new DataView(digest)
    return view.getUint32(0) * 0x10000 + view.getUint16(4) === wanted
  }
  for (let from = 0; from < most; from += AT_ONCE) {
    const length = Math.min(AT_ONCE, most - from)
    const found = await Promise.all(Array.from({ length }, (_, index) => fits(from + index)))
    if (found.includes(true)) return from + found.indexOf(true)
    tell((from + length) / most)
  }
  return null
}

/** @param {HTMLElement} place of the challenge, inside its form */
async function work(place) {
  const form = place.closest('form')
  const { salt = '', goal = '', most = '0', press = '' } = place.dataset
  const bar = place.querySelector('progress')
  const field = place.querySelector('input')
  if (!form || !bar || !field) return
  const busy = place.querySelector('[data-when=busy]')
  if (!globalThis.crypto?.subtle || !(busy instanceof HTMLElement)) return
  place.querySelector('[data-when=idle]')?.setAttribute('hidden', '')
  busy.hidden = false
  const buttons = [...form.querySelectorAll('button')]
  for (const button of buttons) button.disabled = true
  const number = await find(salt, goal, Number(most), part => {
    bar.value = part
  })
  for (const button of buttons) button.disabled = false
  if (number === null) return
  field.value = String(number)
  const pressed = buttons.find(button => `${button.name}=${button.value}` === press) ?? buttons[0]
  pressed?.click()
}

if (globalThis.document) {
  for (const place of document.querySelectorAll('[data-rp=effort]'))
    if (place instanceof HTMLElement) work(place)
}
