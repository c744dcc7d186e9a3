// A file in parts: its size is shown before anything is sent, and where the line breaks it goes on
// where it was, also after the page was opened anew. Without this script a small file is sent whole.

const SMALL = 512 * 1024

/**
 * @typedef {{arrived: number, part: number}} Arrived
 */

/**
 * Ask how much has arrived, or bring a part; tries again for a while where the line breaks.
 * @param {string} url
 * @param {RequestInit} [how]
 * @returns {Promise<Arrived>}
 */
async function ask(url, how) {
  for (let times = 0; ; times++) {
    const answer = await fetch(url, how).catch(() => null)
    if (answer?.ok) return await answer.json()
    if (answer && answer.status < 500) throw new Error(`${answer.status}`)
    if (times === 4) throw new Error('broken')
    await new Promise(go => setTimeout(go, 500 * 2 ** times))
  }
}

/**
 * @param {File} file
 * @param {string} url
 * @param {string} token
 * @param {(part: number) => void} tell
 */
async function bring(file, url, token, tell) {
  let { arrived, part } = await ask(url)
  while (arrived < file.size) {
    const before = arrived
    const body = file.slice(before, before + part)
    const headers = { 'Content-Type': 'application/octet-stream', 'X-CSRFToken': token }
    ;({ arrived } = await ask(`${url}?at=${before}`, { method: 'POST', body, headers }).catch(
      () => ask(url), // it arrived, and only the answer did not
    ))
    if (arrived === before) throw new Error('broken')
    tell(arrived / file.size)
  }
}

/** @param {HTMLFormElement} form */
function improve(form) {
  const input = /** @type {HTMLInputElement} */ (form.querySelector('input[type=file]'))
  const says = /** @type {HTMLElement} */ (form.querySelector('[role=status]'))
  const bar = /** @type {HTMLProgressElement} */ (form.querySelector('progress'))
  const button = /** @type {HTMLButtonElement} */ (form.querySelector('button[type=submit]'))
  const field = (/** @type {string} */ name) =>
    /** @type {HTMLInputElement} */ (form.elements.namedItem(name))

  input.addEventListener('change', () => {
    const file = input.files?.[0]
    if (!file) return
    const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte']
    const step = Math.min(Math.floor(Math.log10(Math.max(file.size, 1)) / 3), 3)
    const size = new Intl.NumberFormat(document.documentElement.lang, {
      style: 'unit',
      unit: units[step],
      maximumFractionDigits: step > 1 ? 1 : 0,
    }).format(file.size / 1000 ** step)
    says.textContent = `${file.name} · ${size}`
  })

  form.addEventListener('submit', async event => {
    const file = input.files?.[0]
    if (!file || file.size <= SMALL) return
    event.preventDefault()
    button.disabled = true
    bar.hidden = false
    const kept = `upload ${file.name} ${file.size} ${file.lastModified}`
    const url = sessionStorage.getItem(kept) ?? form.dataset.upload ?? ''
    sessionStorage.setItem(kept, url)
    says.textContent = form.dataset.coming ?? ''
    try {
      await bring(file, url, field('csrf_token').value, part => {
        bar.value = part
      })
    } catch {
      says.textContent = form.dataset.failed ?? ''
      button.disabled = false
      return
    }
    sessionStorage.removeItem(kept)
    field('arrival').value = url.slice(url.lastIndexOf('/') + 1)
    field('name').value = file.name
    input.disabled = true
    form.submit()
  })
}

for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (
  document.querySelectorAll('form[data-upload]')
)) {
  improve(form)
}
