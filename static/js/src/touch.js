// Where a visit came from.

/** The parameters of an address that name a campaign; no other goes anywhere. */
export const CAMPAIGN = /^(utm_[a-z_]{1,32}|(g|d|fb|tt|tw)clid|msclkid|[gw]braid|li_fat_id)$/

/**
 * The page of another site and the campaign that led to a page; undefined where nothing says so.
 * @param {string} referrer
 * @param {{ origin: string, search: string }} page
 */
export function touchOf(referrer, page) {
  const campaign = [...new URLSearchParams(page.search)].filter(([name]) => CAMPAIGN.test(name))
  const away = referrer && !`${referrer}/`.startsWith(`${page.origin}/`)
  if (!away && !campaign[0]) return
  return {
    referrer: away ? referrer.split(/[?#]/)[0] : undefined,
    parameters: Object.fromEntries(campaign.map(([name, value]) => [name, value.slice(0, 200)])),
  }
}
