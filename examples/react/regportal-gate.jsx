// <RegportalGate src="…/static/js/0.1.0/regportal.js" integrity="sha384-…" gate="price-list">Get the prices</RegportalGate>
//
// React 19. src and integrity are what `regportal snippet --json` prints. On the server it renders
// the link, which works as it is; React loads the script once, however many gates a page has. What
// else is given (lang, mode, light, title, className) is the element's.

import { createElement } from 'react'

const STATES = { onAsked: 'asked', onRefused: 'refused', onOpened: 'opened', onFailed: 'failed' }

export function RegportalGate({ src, integrity, children, ...given }) {
  const portal = src.slice(0, src.lastIndexOf('/static/'))
  const said = Object.entries(given).map(([name, value]) =>
    name in STATES ? [`onregportal:${STATES[name]}`, value] : [name, value],
  )
  return (
    <>
      <script type="module" async src={src} integrity={integrity} crossOrigin="anonymous" />
      {createElement(
        'regportal-gate',
        Object.fromEntries(said),
        <a href={`${portal}/g/${given.gate}${given.lang ? `?lang=${given.lang}` : ''}`}>{children}</a>,
      )}
    </>
  )
}
