<?php
// Just enough of WordPress to load a plugin and show a page: what it registers, and how it escapes.

define('ABSPATH', __DIR__);
[, $plugin, $said] = $argv;
$said = json_decode($said, true);
foreach ($said['constants'] as $name => $value) {
    define($name, $value);
}
$codes = $blocks = $actions = $scripts = [];

function add_shortcode($name, $callback) { global $codes; $codes[$name] = $callback; }
function add_action($name, $callback) { global $actions; $actions[$name][] = $callback; }
function register_block_type($name, $how) { global $blocks; $blocks[$name] = $how; }
function wp_register_script($name, ...$more) { global $scripts; $scripts[$name] = ''; }
function wp_add_inline_script($name, $code) { global $scripts; $scripts[$name] .= $code; }
function shortcode_atts($known, $given, $name) { return array_intersect_key($given, $known) + $known; }
function wp_strip_all_tags($text) { return strip_tags($text); }
function esc_html($text) { return htmlspecialchars($text, ENT_QUOTES); }
function esc_attr($text) { return htmlspecialchars($text, ENT_QUOTES); }
function esc_url($address) { return htmlspecialchars($address, ENT_QUOTES); }

require $plugin;
foreach ($actions['init'] ?? [] as $one) {
    $one();
}
$shown = [];
foreach ($said['show'] as [$what, $given, $text]) {
    $shown[] = $what === 'block'
        ? $blocks['regportal/gate']['render_callback']($given)
        : $codes['regportal']($given, $text);
}
echo json_encode(['shown' => $shown, 'editor' => $scripts['regportal-editor']]);
