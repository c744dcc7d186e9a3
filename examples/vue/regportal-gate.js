// createApp(App).use(regportal, { src: '…/static/js/0.1.0/regportal.js', integrity: 'sha384-…' })
//
// <RegportalGate gate="price-list" @opened="…">Get the prices</RegportalGate>
//
// Vue 3. src and integrity are what `regportal snippet --json` prints. On the server it renders the
// link, which works as it is; the first gate of an app brings the script, which is loaded once. What
// else is given (lang, mode, light, title, class) is the element's.

import { h } from 'vue'

const STATES = ['asked', 'refused', 'opened', 'failed']

export function regportal(app, { src, integrity }) {
  const portal = src.slice(0, src.lastIndexOf('/static/'))
  const script = { type: 'module', async: true, src, integrity, crossorigin: 'anonymous' }
  const address = ({ gate, lang }) => `${portal}/g/${gate}${lang ? `?lang=${lang}` : ''}`
  let brought = false
  app.component('RegportalGate', {
    inheritAttrs: false,
    props: ['gate', 'lang'],
    emits: STATES,
    setup(props, { attrs, emit, slots }) {
      const brings = !brought
      brought = true
      const events = STATES.map(state => [`on:regportal:${state}`, event => emit(state, event)])
      return () => [
        brings && h('script', script),
        h('regportal-gate', { ...attrs, ...props, ...Object.fromEntries(events) }, [
          h('a', { href: address(props) }, slots.default?.()),
        ]),
      ]
    },
  })
}
