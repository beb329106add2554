/** Colours keep 4.5:1 in the light and in the dark; no text is smaller than 16 px. */
export const PAGE_STYLE = `
:root{color-scheme:light dark;--paper:#fff;--ink:#1d1d1f;--soft:#5f5f65;--line:#d9d9de;--back:#f5f5f7;--hot:#c8370a;--onhot:#fff;--tint:#fdf1ec}
@media (prefers-color-scheme:dark){:root{--paper:#1c1c1e;--ink:#f5f5f7;--soft:#aeaeb4;--line:#3a3a3c;--back:#000;--hot:#ff8a5c;--onhot:#1d0d06;--tint:#2b1d17}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;background:var(--back);color:var(--ink);font:16px/1.6 system-ui,-apple-system,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:30rem;margin:0 auto;padding:16px max(16px,env(safe-area-inset-right)) calc(24px + env(safe-area-inset-bottom)) max(16px,env(safe-area-inset-left))}
.card{background:var(--paper);border:1px solid var(--line);border-radius:16px;overflow:hidden}
.picture{display:block;width:100%;height:auto;max-height:56vh;object-fit:cover;background:var(--tint)}
.none{display:grid;place-items:center;aspect-ratio:16/9;background:var(--tint);color:var(--hot)}
.none svg{width:72px;height:72px}
.facts{padding:16px 20px 20px}
.shop{margin:0;color:var(--soft);overflow-wrap:anywhere}
h1{margin:4px 0 8px;font-size:1.25rem;line-height:1.4;font-weight:600;overflow-wrap:anywhere}
.price{margin:0;font-size:1.75rem;line-height:1.3;font-weight:700;color:var(--hot)}
.note{margin:0;color:var(--soft)}
.go,.also{display:block;width:100%;margin:16px 0 0;padding:14px 20px;border-radius:14px;border:1px solid transparent;font:inherit;font-weight:600;text-align:center;text-decoration:none;cursor:pointer}
.go{background:var(--hot);color:var(--onhot);font-size:1.125rem}
.also{background:var(--paper);color:var(--ink);border-color:var(--line)}
a:focus-visible,button:focus-visible{outline:3px solid var(--hot);outline-offset:2px}
[hidden]{display:none}
.by{margin:20px 4px 0;color:var(--soft)}
.code{margin:8px 0 0;padding:12px 16px;border:1px dashed var(--hot);border-radius:12px;background:var(--paper);overflow-wrap:anywhere;-webkit-user-select:all;user-select:all}
.said{margin:8px 4px 0}
.said:empty{margin:0}
.guide{display:grid;grid-template-columns:1fr 88px;gap:4px 12px;align-items:center;margin:0 0 16px;padding:12px 16px;border-radius:16px;background:var(--tint)}
.guide h2{margin:0;font-size:1.125rem}
.guide ol{margin:0;padding-left:1.4em}
.guide svg{grid-column:2;grid-row:1/3;width:88px;height:88px;color:var(--hot)}
.ad{margin:20px 4px 0;text-align:center;color:var(--soft)}
`;
