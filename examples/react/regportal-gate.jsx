// <RegportalGate src="…/static/js/0.1.0/regportal.js" integrity="sha384-…" gate="price-list">Get the prices</RegportalGate>
//
// React 19. src and integrity are what `regportal snippet --json` prints. On the server it renders
// the link, which works as it is; React loads the script once, however many gates a page has.

import { createElement } from 'react'

const STATES = { onAsked: 'asked', onRefused: 'refused', onOpened: 'opened', onFailed: 'failed' }

export function RegportalGate({ src, integrity, gate, lang, children, ...listening }) {
  const portal = src.slice(0, src.lastIndexOf('/static/'))
  const events = Object.entries(STATES)
    .filter(([name]) => listening[name])
    .map(([name, state]) => [`onregportal:${state}`, listening[name]])
  return (
    <>
      <script type="module" async src={src} integrity={integrity} crossOrigin="anonymous" />
      {createElement(
        'regportal-gate',
        { gate, lang, ...Object.fromEntries(events) },
        <a href={`${portal}/g/${gate}`}>{children}</a>,
      )}
    </>
  )
}
