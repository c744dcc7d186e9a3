// How a drawn gate looks: the page's own custom properties, else the portal's theme.

export const BASE = `
  :host { display: block; position: relative }
  :host([hidden]) { display: none }
  iframe { display: block; width: 100%; height: 0; border: 0 }
  iframe:not([data-ready]) { position: absolute; visibility: hidden }
  [hidden] { display: none }
  [part=waiting] {
    inline-size: 100%; height: 2px; border-radius: 2px; margin-top: .75em; opacity: .5;
    background: linear-gradient(currentColor 0 0) 0 / 30% 100% no-repeat;
  }
  @media (prefers-reduced-motion: no-preference) {
    [part=waiting] { animation: go 1.1s ease-in-out infinite alternate }
    @keyframes go { to { background-position-x: 100% } }
  }
`

export const LOOK = `
  :host {
    --brand: var(--rp-accent, var(--theme-accent, #0b5cad));
    --write: var(--rp-text, var(--theme-text, #1a1a1a));
    --sheet: var(--rp-background, var(--theme-background, #fff));
    --radius: var(--rp-radius, var(--theme-radius, 6px));
    --accent: var(--brand);
    --text: var(--write);
    --ground: var(--sheet);
    --on-accent: #fff;
    --danger: #b3261e;
  }
  @supports (color: light-dark(lch(from red l c h), red)) {
    :host {
      --accent: light-dark(var(--brand), lch(from var(--brand) max(l, 62) c h));
      --text: light-dark(var(--write), lch(from var(--write) max(l, 91) min(c, 6) h));
      --ground: light-dark(var(--sheet), lch(from var(--sheet) min(l, 11) min(c, 4) h));
      --on-accent: lch(from var(--accent) calc((49.4 - l) * 1000) 0 0);
      --danger: light-dark(#b3261e, #ff9a8f);
    }
  }
  :host { display: grid }
  *, ::before { box-sizing: border-box }
  h2, p, form, fieldset { margin: 0; padding: 0; border: 0; min-inline-size: 0 }
  [part=gate] {
    --soft: color-mix(in srgb, var(--text) 74%, var(--ground));
    --edge: color-mix(in srgb, var(--text) 52%, var(--ground));
    --line: color-mix(in srgb, var(--text) 14%, var(--ground));
    display: grid; align-content: center; gap: 1rem; min-block-size: var(--rp-space, 30rem);
    padding: clamp(1.25rem, 4vw, 2rem); background: var(--ground); color: var(--text);
    border: 1px solid var(--line); border-radius: calc(var(--radius) * 1.6);
    font: 1rem/1.55 var(--rp-font, var(--theme-font, system-ui)), system-ui, sans-serif;
    text-align: start; overflow-wrap: anywhere;
  }
  [part=gate]:has([part~=done]) { justify-items: center; text-align: center }
  [part~=done]::before {
    content: "✓\\fe0e" / ""; display: grid; place-items: center; inline-size: 4rem; block-size: 4rem; margin: 0 auto 1rem;
    border-radius: 50%; background: color-mix(in srgb, var(--accent) 14%, var(--ground)); color: var(--accent); font-size: 1.75rem;
  }
  [part=gate][aria-busy] { background: none; border-color: transparent; justify-items: center }
  form { display: grid; gap: 1.25rem }
  [part~=abstract] {
    display: grid; gap: .75rem; inline-size: 100%; padding-block-start: 1.25rem; border-block-start: 1px solid var(--line); text-align: start;
  }
  [part~=field], [part~=question] { display: grid; gap: .35rem }
  [part~=headline] { font-size: 1.375rem; line-height: 1.2; letter-spacing: -.01em; text-wrap: balance; outline: 0 }
  [part~=label] { padding: 0; font-weight: 600 }
  [part~=hint], [part~=note], [part~=meta], [part~=text], [part~=abstract], [part~=who] { color: var(--soft) }
  [part~=hint], [part~=note], [part~=meta] { font-size: .875rem }
  small { display: block }
  [part~=input], [part~=button] { font: inherit; min-block-size: 2.875rem; border-radius: var(--radius) }
  [part~=input] {
    inline-size: 100%; padding: .6rem .8rem; background: var(--ground); color: inherit; border: 1px solid var(--edge);
  }
  [part~=input][aria-invalid] { border: 2px solid var(--danger) }
  [part~=option] {
    display: flex; gap: .75rem; align-items: flex-start; padding: .65rem .8rem; cursor: pointer;
    border: 1px solid var(--line); border-radius: var(--radius);
  }
  [part~=box] { flex: none; inline-size: 1.25rem; block-size: 1.25rem; margin: .13rem 0 0; accent-color: var(--accent) }
  [part~=buttons] { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 13rem), 1fr)); gap: .75rem }
  [part~=button] {
    display: grid; place-items: center; padding: .65rem 1.1rem; border: 1px solid transparent; background: var(--accent);
    color: var(--on-accent); font-weight: 600; line-height: 1.25; text-align: center; text-decoration: none; cursor: pointer;
  }
  [part~=button]:hover { filter: brightness(1.08) }
  [part~=second] { background: none; color: inherit; border-color: var(--edge) }
  [aria-disabled] { opacity: .55; cursor: default }
  a:not([part~=button]), [part~=not-you] {
    color: inherit; text-decoration: underline 2px var(--accent); text-underline-offset: .22em;
  }
  [part~=not-you] { font: inherit; padding: .25rem 0; border: 0; background: none; cursor: pointer }
  [part~=who] { display: flex; flex-wrap: wrap; gap: 0 .75rem; align-items: center; justify-content: space-between }
  [dir=rtl] :is([type=email], [type=tel]) { direction: ltr; text-align: right }
  :focus-visible:not(h2) { outline: 3px solid var(--text); outline-offset: 2px }
  figure { display: grid; gap: .5rem; margin: 0; inline-size: 100% }
  video, ::slotted(video) { display: block; inline-size: 100%; aspect-ratio: 16 / 9; background: #000; border-radius: var(--radius) }
  [part~=error] { color: var(--danger); font-size: .9375rem; font-weight: 600 }
  [part~=notice] { padding: .75rem 1rem; border-inline-start: 4px solid var(--accent) }
  [part~=status]:not([part~=notice]) { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%) }
  progress { inline-size: 100%; accent-color: var(--accent) }
`

/** @type {Map<string, CSSStyleSheet>} */
const sheets = new Map()

/**
 * A sheet that all gates share; a page's policy allows one that is made so.
 * @param {string} text
 */
export function sheetOf(text) {
  const sheet = sheets.get(text) ?? new CSSStyleSheet()
  if (!sheets.has(text)) sheet.replaceSync(text)
  sheets.set(text, sheet)
  return sheet
}

/**
 * The portal's theme, as what holds where the page says nothing else.
 * @param {Record<string, string>} theme
 */
export function themeOf(theme) {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(':host {}')
  for (const rule of sheet.cssRules)
    if (rule instanceof CSSStyleRule)
      for (const name in theme) rule.style.setProperty(`--theme-${name}`, theme[name] ?? '')
  return sheet
}
