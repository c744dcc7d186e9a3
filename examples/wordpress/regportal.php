<?php
/**
 * Plugin Name: regportal
 * Description: Gates of your regportal in pages and posts: a block, and the short code [regportal gate="price-list"]Get the prices[/regportal].
 * Version: 1.0
 * Requires at least: 6.1
 * Requires PHP: 8.0
 * License: Apache-2.0
 *
 * Put this file into wp-content/plugins/regportal/, activate it, and write into wp-config.php what
 * `regportal snippet --json` prints for one of your gates:
 *
 *     define('REGPORTAL_SRC', 'https://go.acme.example/static/js/0.1.0/regportal.js');
 *     define('REGPORTAL_INTEGRITY', 'sha384-…');
 *
 * A page that knows its own language says so: [regportal gate="price-list" lang="de"].
 */

namespace Regportal;

if (!defined('ABSPATH')) {
    exit;
}

const KEY = '/^[a-z0-9][a-z0-9_-]{0,63}$/';

/** The element of a gate, with the link that stands until it comes; the script before the first. */
function gate(string $key, string $text, string $lang): string
{
    static $scripted = false;
    $portal = defined('REGPORTAL_SRC') ? strstr(REGPORTAL_SRC, '/static/', true) : false;
    if (!$portal || !preg_match(KEY, $key)) {
        return '';
    }
    $script = $scripted ? '' : script();
    $scripted = true;
    return $script . sprintf(
        "<regportal-gate gate=\"%s\"%s>\n  <a href=\"%s\">%s</a>\n</regportal-gate>",
        esc_attr($key),
        $lang === '' ? '' : sprintf(' lang="%s"', esc_attr($lang)),
        esc_url("$portal/g/$key" . ($lang === '' ? '' : '?lang=' . rawurlencode($lang))),
        esc_html($text === '' ? $key : $text)
    );
}

/** The script, by an address and a hash that never change. */
function script(): string
{
    $integrity = defined('REGPORTAL_INTEGRITY')
        ? sprintf("\n  integrity=\"%s\" crossorigin", esc_attr(REGPORTAL_INTEGRITY))
        : '';
    return sprintf("<script type=\"module\" src=\"%s\"%s></script>\n", esc_url(REGPORTAL_SRC), $integrity);
}

function short_code($given, $text = ''): string
{
    $given = shortcode_atts(['gate' => '', 'lang' => ''], (array) $given, 'regportal');
    return gate((string) $given['gate'], trim(wp_strip_all_tags((string) $text)), (string) $given['lang']);
}

function block(array $given): string
{
    return gate((string) ($given['gate'] ?? ''), trim((string) ($given['text'] ?? '')), trim((string) ($given['lang'] ?? '')));
}

/** What the editor needs to let somebody put the block in: two fields, without a build. */
const EDITOR = <<<'JS'
(({ blocks, element: { createElement }, components: { TextControl } }) => {
  const field = (label, name) => ({ attributes, setAttributes }) =>
    createElement(TextControl, {
      label, value: attributes[name], onChange: value => setAttributes({ [name]: value }),
    })
  const fields = [
    field('Gate', 'gate'), field('Text of the link', 'text'),
    field('Language, where the page knows it', 'lang'),
  ]
  blocks.registerBlockType('regportal/gate', {
    title: 'regportal gate', icon: 'lock', category: 'embed',
    edit: props => createElement('div', null, ...fields.map((show, key) =>
      createElement('div', { key }, show(props)))),
    save: () => null,
  })
})(window.wp)
JS;

add_shortcode('regportal', __NAMESPACE__ . '\short_code');

add_action('init', function () {
    wp_register_script('regportal-editor', false, ['wp-blocks', 'wp-element', 'wp-components'], '1.0', true);
    wp_add_inline_script('regportal-editor', EDITOR);
    $text = ['type' => 'string', 'default' => ''];
    register_block_type('regportal/gate', [
        'api_version' => 2,
        'attributes' => ['gate' => $text, 'text' => $text, 'lang' => $text],
        'editor_script_handles' => ['regportal-editor'],
        'render_callback' => __NAMESPACE__ . '\block',
    ]);
});
