// The token by which the portal, and it alone, knows who was here: for another of the company's
// sites, or for the portal's own frame in the page.

import { read } from './kept.js'

/**
 * @param {URL} portal
 * @param {string} what
 * @param {object} said
 * @returns {Promise<any>} the answer; nothing where there is none
 */
export async function ask(portal, what, said) {
  const { token: visitor } = read()
  try {
    const answer = await fetch(`${portal}api/v1/handover${what}`, {
      method: 'POST',
      credentials: visitor ? 'omit' : 'include',
      body: JSON.stringify({ ...said, visitor }),
      keepalive: true,
    })
    return answer.ok ? await answer.json() : {}
  } catch {
    return {}
  }
}

/**
 * A token for one use within a minute; undefined where the portal gives none.
 * @param {URL} portal
 * @param {string} to the origin where it is given back
 * @returns {Promise<string | undefined>}
 */
export async function handover(portal, to) {
  return (await ask(portal, '', { to })).handover ?? undefined
}
