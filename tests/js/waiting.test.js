import assert from 'node:assert/strict'
import { test } from 'node:test'
import { body, isTooOld, verdict, WAITS, waited } from '../../static/js/src/waiting.js'

const NOON = Date.UTC(2026, 2, 4, 12)
/** @type {import('../../static/js/src/waiting.js').Form} */
const form = { key: 'k', at: NOON, fields: [['email', 'ann@widgetworks.example']] }

test('a form is deleted only where the portal has it, or never takes it', () => {
  assert.equal(verdict(200), 'done')
  for (const status of [400, 409, 413, 422]) assert.equal(verdict(status), 'refused')
  assert.equal(verdict(401), 'closed')
})

test('whatever may pass is waited for', () => {
  const passing = [undefined, 0, 204, 302, 403, 404, 408, 425, 429, 500, 502, 503, 511]
  for (const status of passing) assert.equal(verdict(status), 'later', `${status}`)
})

test('a form waits for a week', () => {
  assert.equal(isTooOld(form, NOON), false)
  assert.equal(isTooOld(form, NOON + WAITS), false)
  assert.equal(isTooOld(form, NOON + WAITS + 1), true)
})

test('a clock that was set back a little makes a form one of just now', () => {
  assert.equal(isTooOld(form, NOON - 3_600_000), false)
  assert.equal(waited(form, NOON - 3_600_000), 0)
})

test('what is sent says how long it waited, and how many stay behind', () => {
  const sent = Object.fromEntries(body(form, 2, NOON + 90_400))

  assert.deepEqual(sent, {
    email: 'ann@widgetworks.example',
    key: 'k',
    waited: '90',
    waiting: '2',
  })
})
