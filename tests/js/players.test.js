import assert from 'node:assert/strict'
import { test } from 'node:test'

import { opened, playerOf } from '../../static/js/src/services.js'
import { Watching } from '../../static/js/src/watching.js'

const page = 'https://www.acme.example'
const youtube = playerOf('https://youtu.be/M7lc1UVf-VE', page)?.service
const vimeo = playerOf('https://vimeo.com/76979871', page)?.service

/**
 * What was watched by somebody whose player said this: at which second, of which second.
 * @param {[moment: number, said: import('../../static/js/src/watching.js').Said][]} told
 */
function watched(told) {
  const watching = new Watching()
  for (const [moment, said] of told) watching.hear(said, moment)
  return watching.stretches
}
const playing = true

// --- what was really watched ---

test('what plays at the pace of a film was watched, and pauses count for nothing', () => {
  assert.deepEqual(
    watched([
      [0, { playing, position: 10 }],
      [1, { position: 11 }],
      [2, { position: 12, playing: false }],
      [60, { playing, position: 12 }],
      [61, { position: 13 }],
    ]),
    [[10, 13]],
  )
})

test('a jump was not watched, in either direction', () => {
  assert.deepEqual(
    watched([
      [0, { playing, position: 0 }],
      [1, { position: 1 }],
      [1.2, { position: 30 }],
      [2.2, { position: 31 }],
      [2.4, { position: 5 }],
      [3.4, { position: 6 }],
    ]),
    [
      [0, 1],
      [5, 6],
      [30, 31],
    ],
  )
})

test('whoever drags the film along while it stands watched nothing', () => {
  const dragged = [1, 2, 3, 4].map(
    nth => /** @type {[number, {}]} */ ([nth, { position: nth * 0.4 }]),
  )

  assert.deepEqual(watched([[0, { playing: false, position: 0 }], ...dragged]), [])
})

test('a film may run faster than life, and no faster than three times', () => {
  const run = (/** @type {number} */ rate, /** @type {number} */ pace) =>
    watched([
      [0, { playing, position: 0, rate }],
      [4, { position: 4 * pace }],
    ])

  assert.deepEqual(run(2, 2), [[0, 8]])
  assert.deepEqual(run(1, 2), [])
  assert.deepEqual(run(100, 50), [])
})

test('a player that was silent for long may have been anywhere', () => {
  assert.deepEqual(
    watched([
      [0, { playing, position: 0 }],
      [600, { position: 600 }],
    ]),
    [],
  )
})

test('what is no time is not believed', () => {
  const odd = [Number.NaN, Number.POSITIVE_INFINITY, -1, '5', null, {}, 1e9]

  for (const position of odd) {
    assert.deepEqual(
      watched([
        [0, { playing, position: 0 }],
        [1, { position }],
      ]),
      [],
    )
    const watching = new Watching()
    watching.hear({ duration: position, rate: position, playing }, 0)
    assert.ok(Number.isNaN(watching.duration))
  }
})

// --- whose player a link is for ---

test('a link to a film of YouTube or Vimeo has a player that asks for no cookies', () => {
  const address = (/** @type {string} */ link) => playerOf(link, page)?.address
  const tube = `https://www.youtube-nocookie.com/embed/M7lc1UVf-VE?enablejsapi=1&origin=${encodeURIComponent(page)}`

  for (const link of [
    'https://www.youtube.com/watch?v=M7lc1UVf-VE',
    'https://m.youtube.com/watch?list=PL1&v=M7lc1UVf-VE&t=30s',
    'https://youtu.be/M7lc1UVf-VE?si=x',
    'https://www.youtube-nocookie.com/embed/M7lc1UVf-VE',
    'https://www.youtube.com/shorts/M7lc1UVf-VE',
  ])
    assert.equal(address(link), tube)
  assert.equal(
    address('https://vimeo.com/76979871'),
    'https://player.vimeo.com/video/76979871?dnt=1',
  )
  for (const link of [
    'https://vimeo.com/76979871/0a1b2c',
    'https://player.vimeo.com/video/76979871?h=0a1b2c',
  ])
    assert.equal(address(link), 'https://player.vimeo.com/video/76979871?dnt=1&h=0a1b2c')
})

test('a link to anything else has none', () => {
  for (const link of [
    'https://www.youtube.com/@acme',
    'https://www.youtube.com/watch?v=M7lc1UVf-VEx',
    'https://www.youtube.com.evil.example/watch?v=M7lc1UVf-VE',
    'https://evil.example/?https://youtu.be/M7lc1UVf-VE',
    'http://youtu.be/M7lc1UVf-VE',
    'javascript:alert(1)//https://youtu.be/M7lc1UVf-VE',
    'https://vimeo.com/features',
    'https://vimeo.com/76979871x',
  ])
    assert.equal(playerOf(link, page), undefined, link)
})

// --- what players say ---

test('YouTube says what it plays', () => {
  const said = { event: 'infoDelivery', info: { currentTime: 3.5, duration: 60, playerState: 1 } }

  assert.deepEqual(youtube?.understand(said), {
    position: 3.5,
    duration: 60,
    rate: undefined,
    playing: true,
  })
  const state = (/** @type {any} */ playerState) =>
    youtube?.understand({ event: 'infoDelivery', info: { playerState } })?.playing
  assert.deepEqual([-1, 0, 1, 2, 3, 5, '1', null].map(state), [
    ...[false, false, true, false, undefined],
    ...[false, undefined, undefined],
  ])
})

test('Vimeo says what it plays', () => {
  const data = { seconds: 3.5, duration: 60, percent: 0.06 }
  const playing = (/** @type {string} */ event) => vimeo?.understand({ event, data })?.playing

  assert.equal(vimeo?.understand({ event: 'timeupdate', data })?.position, 3.5)
  assert.deepEqual(['play', 'pause', 'ended', 'timeupdate'].map(playing), [
    true,
    false,
    false,
    undefined,
  ])
  assert.deepEqual(vimeo?.understand({ method: 'getPaused', value: false }), { playing: true })
})

test('what is no message of a player says nothing', () => {
  for (const data of [undefined, null, 5, 'x', '{', '[]', '"x"', {}, { event: 'volumechange' }]) {
    assert.equal(youtube?.understand(opened(data)), undefined)
    assert.equal(vimeo?.understand(opened(data)), undefined)
  }
})
