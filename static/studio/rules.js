// What is wrong with a rule is said as it is typed, and how far a back-test has come while one
// waits. Without this script both are said when the page is opened again.

/**
 * @param {HTMLFormElement} form
 * @returns {Promise<void>}
 */
async function check(form) {
  const body = new URLSearchParams()
  for (const [name, value] of new FormData(form)) body.append(name, String(value))
  const answer = await fetch(form.dataset.check ?? '', { method: 'POST', body })
  if (!answer.ok) return
  const { faults, says } = await answer.json()
  for (const place of /** @type {NodeListOf<HTMLElement>} */ (form.querySelectorAll('[data-lint]')))
    place.textContent = (faults[place.dataset.lint ?? ''] ?? []).join(' ')
  for (const place of /** @type {NodeListOf<HTMLElement>} */ (form.querySelectorAll('[data-says]')))
    place.textContent = says[place.dataset.says ?? ''] ?? ''
}

/**
 * @param {HTMLElement} place
 * @returns {Promise<void>}
 */
async function look(place) {
  const answer = await fetch(place.dataset.progress ?? '')
  if (!answer.ok) return location.reload()
  const { tried, of, over } = await answer.json()
  if (over) return location.reload()
  const bar = place.querySelector('progress')
  const says = place.querySelector('[role=status]')
  if (bar) Object.assign(bar, { max: of || 1, value: tried })
  if (says) says.textContent = `${tried} / ${of}`
  setTimeout(() => look(place), 1000)
}

const rules = /** @type {HTMLFormElement | null} */ (document.querySelector('form[data-check]'))
let waiting = 0
rules?.addEventListener('input', () => {
  clearTimeout(waiting)
  waiting = window.setTimeout(() => check(rules).catch(() => {}), 400)
})
const waited = /** @type {HTMLElement | null} */ (document.querySelector('[data-progress]'))
if (waited) setTimeout(() => look(waited).catch(() => {}), 1000)

export {}
