// Inside a framed page: tells the page around it how tall this one is, and what happened.
// Nothing about the person ever leaves: {v, type, height} and {v, type, state} are all it says.

const root = document.documentElement
if (window.name === 'regportal-dark') root.dataset.scheme = 'dark'

const { parent: origin, state } = root.dataset

/** @param {Record<string, unknown>} message */
function tell(message) {
  if (origin && window.parent !== window) window.parent.postMessage({ v: 1, ...message }, origin)
}

function measure() {
  tell({ type: 'height', height: Math.ceil(root.getBoundingClientRect().height) })
}

// Browsers do not lay out a frame of another site while it cannot be seen, and it is shown once
// the page knows how tall it is: the first time it is measured without being asked.
measure()
new ResizeObserver(measure).observe(root)
tell({ type: 'state', state })

// Browsers leave the focus alone in a frame of another origin; a form that came back has it already.
const wrong = document.querySelector('[autofocus]')
if (wrong instanceof HTMLElement && document.hasFocus()) wrong.focus()

export {}
