import assert from 'node:assert/strict'
import { test } from 'node:test'

import { answers } from '../../static/js/src/drawing.js'
import { frameAddress, isDark, understand } from '../../static/js/src/framed.js'
import { portalOf } from '../../static/js/src/portal.js'
import { GateElement, KEY, wayOf } from '../../static/js/src/regportal.js'

const portal = new URL('https://go.acme.example/portal/')
/** @param {string | null} address */
const read = address => new URL(address ?? '')
const page = (search = '') => ({ origin: 'https://www.acme.example', search })

test('the portal is where the script comes from, also below a path or a version', () => {
  const addresses = [
    'https://go.acme.example/static/js/regportal.js',
    'https://www.acme.example/portal/static/js/regportal.js?x=1',
    'https://www.acme.example/portal/static/v/3f2a/js/regportal.js',
  ]

  assert.deepEqual(
    addresses.map(address => portalOf(address).href),
    [
      'https://go.acme.example/',
      'https://www.acme.example/portal/',
      'https://www.acme.example/portal/',
    ],
  )
})

test('a gate is asked for as a frame, and says which page it is in', () => {
  const address = read(frameAddress(portal, 'price-list', page(), ''))

  assert.equal(address.origin + address.pathname, 'https://go.acme.example/portal/g/price-list')
  assert.equal(address.searchParams.get('in'), 'frame')
  assert.equal(address.searchParams.get('host'), 'https://www.acme.example')
})

test('campaign and referrer go along; nothing else of the page does', () => {
  const search = '?utm_source=news&gclid=G1&email=ann@example.org&session=secret'
  const address = read(frameAddress(portal, 'g', page(search), 'https://news.example/a'))

  assert.deepEqual([...address.searchParams.keys()].sort(), [
    'gclid',
    'host',
    'in',
    'rp_ref',
    'utm_source',
  ])
  assert.equal(address.searchParams.get('rp_ref'), 'https://news.example/a')
})

test('a page that knows its language asks for it; another leaves it to the browser', () => {
  const asking = read(frameAddress(portal, 'g', page('?lang=fr'), '', 'de'))
  const silent = read(frameAddress(portal, 'g', page('?lang=fr'), ''))

  assert.deepEqual(asking.searchParams.getAll('lang'), ['de'])
  assert.equal(silent.searchParams.get('lang'), null)
})

test('a campaign cannot take the place of what the frame needs', () => {
  const search = `?in=page&host=https://evil.example&utm_term=${'x'.repeat(5000)}`
  const address = read(frameAddress(portal, 'g', page(search), ''))

  assert.deepEqual(address.searchParams.getAll('in'), ['frame'])
  assert.deepEqual(address.searchParams.getAll('host'), ['https://www.acme.example'])
  assert.equal(address.searchParams.get('utm_term')?.length, 200)
})

test('a gate cannot lead out of the gates', () => {
  for (const gate of ['', '..', '../../m/x', '//evil.example', 'a?b=c#d', 'a b', 'A'])
    assert.equal(KEY.test(gate), false, gate)
})

test('the frame may say how tall it is and what happened', () => {
  assert.deepEqual(understand({ v: 1, type: 'height', height: 311.2 }), {
    type: 'height',
    height: 312,
  })
  for (const [said, known] of [
    [true, true],
    [undefined, false],
    ['yes', false],
  ])
    assert.deepEqual(understand({ v: 1, type: 'state', state: 'opened', known: said }), {
      type: 'state',
      state: 'opened',
      known,
    })
})

test('no frame is taller than any page needs', () => {
  assert.deepEqual(understand({ v: 1, type: 'height', height: 1e9 }), {
    type: 'height',
    height: 20_000,
  })
})

test('what is not one of our messages says nothing', () => {
  const strange = [
    null,
    undefined,
    'height',
    7,
    [],
    {},
    { v: 2, type: 'height', height: 10 },
    { type: 'height', height: 10 },
    { v: 1, type: 'height', height: '10' },
    { v: 1, type: 'height', height: -1 },
    { v: 1, type: 'height', height: Number.NaN },
    { v: 1, type: 'height', height: Number.POSITIVE_INFINITY },
    { v: 1, type: 'state', state: 'anything' },
    { v: 1, type: 'state' },
    { v: 1, type: 'eval', code: 'x' },
  ]

  for (const data of strange) assert.equal(understand(data), null, JSON.stringify(data))
})

test('a gate is dark where the page around it is, whatever the visitor wishes elsewhere', () => {
  assert.equal(isDark('normal', true), false)
  assert.equal(isDark('light', true), false)
  assert.equal(isDark('dark', false), true)
  assert.equal(isDark('light dark', true), true)
  assert.equal(isDark('light dark', false), false)
})

test('the element is defined once, however often its script is loaded', () => {
  /** @type {string[]} */
  const defined = []
  const registry = /** @type {any} */ ({
    get: (/** @type {string} */ tag) => defined.includes(tag) || undefined,
    define: (/** @type {string} */ tag) => defined.push(tag),
  })

  GateElement.define('regportal-gate', registry)
  GateElement.define('regportal-gate', registry)

  assert.deepEqual(defined, ['regportal-gate'])
})

test('near the portal a gate is drawn, and framed where it cannot be or should not', () => {
  const near = { near: true, inFrame: false }
  const far = { near: false, inFrame: false }

  assert.equal(wayOf(null, near), 'drawn')
  assert.equal(wayOf('frame', near), 'frame')
  assert.equal(wayOf(null, far), 'frame')
  assert.equal(wayOf('script', far), 'script')
  assert.equal(wayOf('script', { ...far, inFrame: true }), 'frame')
})

test('an answer names only what was asked', () => {
  const asked = { headline: '', ask: 't', email: false, recognised: true, newsletter: null }
  const question = { key: 'a', label: '', why: null, choices: null, required: false }
  const data = new FormData()
  data.append('q-a', 'x')
  data.append('q-a', 'y')
  data.append('email', 'ann@example.org')

  const one = { ...asked, question: { ...question, type: 'text' } }
  const many = { ...asked, question: { ...question, type: 'choices' } }
  assert.deepEqual(answers(data, one), { ask: 't', answers: { a: 'x' } })
  assert.deepEqual(answers(data, many), { ask: 't', answers: { a: ['x', 'y'] } })
  data.append('decline', 'yes')
  assert.deepEqual(answers(data, { ...asked, question: null }), { ask: 't', decline: true })
})

test('the address is answered with the button that was pressed, and the newsletter either way', () => {
  const newsletter = { key: 'news', wording: '', frequency: null }
  const asked = {
    headline: '',
    ask: 't',
    email: true,
    recognised: false,
    question: null,
    newsletter,
  }
  const data = new FormData()
  data.append('email', 'ann@example.org')
  data.append('remember', 'no')

  assert.deepEqual(answers(data, asked), {
    ask: 't',
    email: 'ann@example.org',
    remember: false,
    newsletters: { news: false },
  })
})
