// A plugin for Eleventy. In eleventy.config.js, with what `regportal snippet --json` prints:
//
//   import regportal from './regportal.js'
//   config.addPlugin(regportal, { src: 'https://go.acme.example/static/js/0.1.0/regportal.js', integrity: 'sha384-…' })
//
// and in a page: {% regportalGate "price-list" %}Get the prices{% endregportalGate %}
// with its language: {% regportalGate "price-list", "de" %}Zu den Preisen{% endregportalGate %}

const KEY = /^[a-z0-9][a-z0-9_-]{0,63}$/
const SIGNS = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escaped = text => text.replace(/[&<>"]/g, sign => SIGNS[sign])

export default function regportal(config, { src, integrity }) {
  const portal = src.slice(0, src.lastIndexOf('/static/'))
  const script = `<script type="module" src="${escaped(src)}"
  integrity="${escaped(integrity)}" crossorigin></script>
`
  const scripted = new WeakSet()

  config.addPairedShortcode('regportalGate', function (text, gate, lang = '') {
    if (!KEY.test(gate)) throw new Error(`no gate can be called ${gate}`)
    const speaks = lang && ` lang="${escaped(lang)}"`
    const asks = lang && `?lang=${escaped(lang)}`
    const first = !scripted.has(this.page)
    scripted.add(this.page)
    return `${first ? script : ''}<regportal-gate gate="${gate}"${speaks}>
  <a href="${escaped(portal)}/g/${gate}${asks}">${escaped(text.trim())}</a>
</regportal-gate>`
  })
}
