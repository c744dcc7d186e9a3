// Inside a framed page: shows that a form is on its way, for a browser shows nothing of a frame
// that loads; and sends it once. Without an answer it can be sent again, which does no harm.

const LONG = 10_000
const status = document.querySelector('[data-says]')

/** @param {'true' | null} busy */
function wait(busy) {
  for (const form of document.forms) form.ariaBusy = busy
  for (const button of document.querySelectorAll('button')) button.ariaDisabled = busy
  if (status) status.textContent = busy && status.getAttribute('data-says')
}

addEventListener('submit', event => {
  if (document.forms[0]?.ariaBusy) return event.preventDefault()
  wait('true')
  setTimeout(wait, LONG, null)
})
addEventListener('pageshow', () => wait(null)) // whoever comes back finds it as it was left

export {}
