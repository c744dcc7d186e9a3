// Parts of a page that htmx fetches, under the Studio's policy: pages of our own host are the only
// HTML that is ever taken, and no text becomes code. What leads elsewhere is a page of its own.

/** @typedef {{ ctx: { response: { raw: Response } } }} Answered */

/** @type {any} */
const { htmx, trustedTypes } = window
const rules = { createHTML: /** @param {string} text */ text => text }
const policy = trustedTypes?.createPolicy('rp', rules) ?? rules

htmx.registerExtension('rp', {
  init: /** @param {{ initSecurity: (policy: unknown) => void }} own */ own =>
    own.initSecurity(policy),

  /**
   * @param {Element} _
   * @param {Answered} answered
   */
  htmx_before_response: (_, { ctx }) => {
    if (!ctx.response.raw.redirected) return true
    location.assign(ctx.response.raw.url)
    return false
  },
})
