// Acme's own consent banner, as any company's: it asks once, keeps the answer, and hands it to
// regportal when it is given. Never again after that: a No that every page repeats would take back
// what the visitor allowed at a gate meanwhile. docs/recording.md

/** @typedef {{ recognise: boolean, track: boolean }} Choice */

/** @type {{ regportal?: { choose(choice: Choice): Promise<Choice> } }} */
const { regportal } = /** @type {any} */ (globalThis)
/** @type {Record<string, string>} */
const SAID = { yes: 'Yes', no: 'No' }

/** @param {string} id */
const part = id => /** @type {HTMLElement} */ (document.getElementById(id))
const banner = part('choice')
const holds = part('choice-holds')
const again = part('choice-again')
const made = part('choice-made')
/** An answer counts for the question it was given to. */
const KEPT = `acme-choice-${banner.dataset.version}`

/** What was answered here before; nothing where the browser keeps nothing. */
function answered() {
  try {
    return localStorage[KEPT]
  } catch {
    return undefined
  }
}

/** @param {string} answer */
function keep(answer) {
  try {
    localStorage[KEPT] = answer
  } catch {
    // Then the next page asks again.
  }
}

/** @param {string} [answer] */
function show(answer) {
  banner.hidden = answer !== undefined
  again.hidden = answer === undefined
  made.textContent = SAID[answer ?? ''] ?? ''
}

/** @param {string} answer */
async function choose(answer) {
  const asked = { recognise: answer === 'yes', track: answer === 'yes' }
  keep(answer)
  show(answer)
  part('main').focus({ preventScroll: true })
  const { track } = (await regportal?.choose(asked)) ?? asked
  holds.textContent = track ? 'Thank you. We note what you read.' : 'We note nothing.'
}

// With Global Privacy Control the visitor has said no to every site already.
if (regportal && !(/** @type {any} */ (navigator).globalPrivacyControl)) {
  show(answered())
  for (const button of banner.querySelectorAll('button'))
    button.addEventListener('click', () => choose(button.value))
  again.addEventListener('click', () => {
    show()
    banner.querySelector('button')?.focus()
  })
}

export {}
