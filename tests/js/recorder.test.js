import assert from 'node:assert/strict'
import { test } from 'node:test'

import { merged, untold } from '../../static/js/src/films.js'
import { keep, keepTouch, read, readTouch, whyNot } from '../../static/js/src/kept.js'
import { gateOf, isNear } from '../../static/js/src/portal.js'
import { bounded, mayTakeLater, pause, uuid7 } from '../../static/js/src/queue.js'
import { regportal } from '../../static/js/src/recorder.js'
import { touchOf } from '../../static/js/src/touch.js'

const NOW = Date.parse('2026-11-22T12:00:00Z')
/** @param {number} nth @param {object} [more] */
const seen = (nth, more = {}) => ({
  id: `${nth}`,
  type: 'page_view',
  occurred_at: new Date(NOW - 1000 + nth).toISOString(),
  ...more,
})
/** @param {number} length */
const many = length => Array.from({ length }, (_, nth) => seen(nth))
const page = (search = '') => ({ origin: 'https://www.acme.example', search })

// --- ids ---

test('an id is a UUID of version 7 that begins with its time', () => {
  const id = uuid7(NOW)

  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(Number.parseInt(id.replace('-', '').slice(0, 12), 16), NOW)
})

test('ids sort by their time, and no two are the same', () => {
  const ids = [0, 1, NOW, NOW + 1, 2 ** 48 - 1].map(uuid7)

  assert.deepEqual(ids, ids.toSorted())
  assert.equal(new Set(Array.from({ length: 1000 }, () => uuid7(NOW))).size, 1000)
})

// --- films ---

test('stretches that touch are one, in the order of the film', () => {
  assert.deepEqual(
    merged([
      [30, 40],
      [0, 10],
      [10, 12],
      [5, 11],
      [35, 36],
    ]),
    [
      [0, 12],
      [30, 40],
    ],
  )
  assert.deepEqual(merged([]), [])
})

test('a stretch is told once, however often it is watched', () => {
  assert.deepEqual(untold([[0, 20]], []), [[0, 20]])
  assert.deepEqual(untold([[0, 20]], [[0, 20]]), [])
  assert.deepEqual(untold([[0, 25]], [[0, 20]]), [[20, 25]])
  assert.deepEqual(
    untold(
      [[0, 60]],
      [
        [10, 20],
        [30, 40],
      ],
    ),
    [
      [0, 10],
      [20, 30],
      [40, 60],
    ],
  )
})

test('seconds have one decimal, and less than one of them waits for more', () => {
  assert.deepEqual(untold([[0.04, 12.3456]], []), [[0, 12.3]])
  assert.deepEqual(untold([[0, 0.9]], []), [])
  assert.deepEqual(untold([[0, 20.5]], [[0, 20]]), [])
})

test('what is told and what is left never overlap, and together are what was watched', () => {
  const random = (() => {
    let state = 7
    return () => {
      state = (state * 1103515245 + 12345) % 2 ** 31
      return state % 100
    }
  })()
  for (let round = 0; round < 300; round++) {
    /** @type {import('../../static/js/src/films.js').Stretch[]} */
    const watched = []
    /** @type {import('../../static/js/src/films.js').Stretch[]} */
    let told = []
    for (let nth = 0; nth < 6; nth++) {
      const from = random()
      watched.push([from, from + 1 + random()])
      told = [...told, ...untold(watched, told)]
    }

    const seconds = told.reduce((sum, [from, to]) => sum + to - from, 0)
    assert.deepEqual(merged(told), merged(watched))
    assert.equal(
      seconds,
      merged(watched).reduce((sum, [from, to]) => sum + to - from, 0),
    )
  }
})

// --- the queue ---

test('two hundred interactions wait at most, and the oldest go first', () => {
  const kept = bounded(many(230), NOW)

  assert.equal(kept.length, 200)
  assert.equal(kept[0]?.id, '30')
  assert.equal(kept.at(-1)?.id, '229')
})

test('60 kB wait at most, counted as they are sent', () => {
  const kept = bounded(
    many(100).map(one => ({ ...one, properties: { title: 'ü'.repeat(500) } })),
    NOW,
  )
  const bytes = new TextEncoder().encode(JSON.stringify(kept)).length

  assert.ok(bytes <= 60_000)
  assert.ok(bytes > 58_000)
  assert.equal(kept.at(-1)?.id, '99')
})

test('one that is larger than all that may wait is left out', () => {
  assert.deepEqual(bounded([seen(0, { properties: 'x'.repeat(60_000) })], NOW), [])
})

test('what is older than a day is forgotten', () => {
  const queue = [seen(-86_400_000), seen(-86_000_000), seen(1)]

  assert.deepEqual(
    bounded(queue, NOW).map(({ id }) => id),
    ['-86000000', '1'],
  )
})

test('the portal is asked later after silence, trouble and haste; never after a no', () => {
  assert.deepEqual([undefined, 429, 500, 503].map(mayTakeLater), [true, true, true, true])
  assert.deepEqual([202, 400, 403, 404, 413].map(mayTakeLater), [false, false, false, false, false])
})

test('it is asked ever more rarely, or when it said', () => {
  assert.deepEqual(
    [0, 1, 2, 7, 50].map(tries => pause(tries, null)),
    [2000, 4000, 8000, 256_000, 256_000],
  )
  assert.equal(pause(0, '17'), 17_000)
  assert.equal(pause(0, 'Sun, 22 Nov 2026 12:00:00 GMT'), 2000)
  assert.equal(pause(0, undefined), 2000)
})

// --- where a visit came from ---

test('a touch is the page of another site and the campaign, and nothing else', () => {
  const search = '?utm_source=news&gclid=G1&msclkid=M&email=ann@example.org&session=s'
  const touch = touchOf('https://news.example/a?token=secret#part', page(search))

  assert.deepEqual(touch, {
    referrer: 'https://news.example/a',
    parameters: { utm_source: 'news', gclid: 'G1', msclkid: 'M' },
  })
})

test('a page of our own is no touch', () => {
  for (const referrer of ['', 'https://www.acme.example/', 'https://www.acme.example/a?b'])
    assert.equal(touchOf(referrer, page('?q=x')), undefined)
})

test('another origin that begins like ours is another origin', () => {
  for (const referrer of ['https://www.acme.example.evil.example/', 'https://www.acme.example:81/'])
    assert.deepEqual(touchOf(referrer, page()), { referrer, parameters: {} })
  assert.deepEqual(touchOf('https://www.acme.example', page()), undefined)
})

test('every click id that is documented goes along, cut where it is endless', () => {
  const names = [
    'utm_source',
    ...['gclid', 'gbraid', 'wbraid', 'dclid', 'fbclid', 'msclkid', 'li_fat_id', 'ttclid', 'twclid'],
  ]
  const others = ['clid', 'xclid', 'utm_', 'utm_1', 'gclid2', 'email', 'UTM_SOURCE']
  const search = `?${[...names, ...others].map(name => `${name}=${'x'.repeat(500)}`).join('&')}`
  const parameters = touchOf('', page(search))?.parameters ?? {}

  assert.deepEqual(Object.keys(parameters), names)
  assert.deepEqual([...new Set(Object.values(parameters).map(value => value.length))], [200])
})

// --- whose cookies, whose gates, whose choice ---

test('hosts of one site look near, others do not', () => {
  assert.ok(isNear('www.acme.example', 'go.acme.example'))
  assert.ok(isNear('acme.example', 'go.acme.example'))
  assert.ok(isNear('localhost', 'localhost'))
  assert.ok(!isNear('www.acme.example', 'portal.vendor.example'))
  assert.ok(!isNear('localhost', '127.0.0.1'))
})

test('a link to a gate names its key; any other link names none', () => {
  const portal = new URL('https://www.acme.example/portal/')

  assert.equal(
    gateOf('https://www.acme.example/portal/g/prices?utm_source=x#top', portal),
    'prices',
  )
  assert.equal(gateOf('https://www.acme.example/portal/g/prices/done', portal), 'prices')
  for (const address of [
    'https://www.acme.example/g/prices',
    'https://www.acme.example/portal/m/prices',
    'https://evil.example/?https://www.acme.example/portal/g/prices',
    'mailto:ann@acme.example',
  ])
    assert.equal(gateOf(address, portal), undefined)
})

test('nothing is recorded without a choice, after a no, against a signal, or for a program', () => {
  const browser = { webdriver: false }
  const yes = { recognise: true, track: true }

  assert.equal(whyNot(browser, yes), undefined)
  assert.match(whyNot(browser, {}) ?? '', /no choice/)
  assert.match(whyNot(browser, { ...yes, track: false }) ?? '', /refused/)
  assert.match(whyNot({ ...browser, globalPrivacyControl: true }, yes) ?? '', /Privacy/)
  assert.match(whyNot({ webdriver: true }, yes) ?? '', /program/)
})

test('nothing is recorded on a page that others on the way can read', () => {
  Object.assign(globalThis, { isSecureContext: false })
  const why = whyNot({ webdriver: false }, { recognise: true, track: true })
  Object.assign(globalThis, { isSecureContext: undefined })

  assert.equal(why, 'no https')
})

test('where a page may keep nothing, it is kept until the page ends', () => {
  assert.deepEqual(read(), {})

  keep({ recognise: true, track: true, token: 't' })
  keepTouch({ referrer: 'https://news.example/' })
  assert.deepEqual(read(), { recognise: true, track: true, token: 't' })
  assert.deepEqual(readTouch(), { referrer: 'https://news.example/' })

  keep({ recognise: false, track: false })
  assert.deepEqual(read(), { recognise: false, track: false })
  assert.equal(readTouch(), undefined)
})

test('a program may import the recorder where there is no page', () => {
  assert.deepEqual(Object.keys(regportal), ['choose', 'record', 'watched', 'send'])
})
