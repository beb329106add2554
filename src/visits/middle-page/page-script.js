/*
 * Runs in visitors' browsers, the old web views of apps among them: no syntax newer than 2015. The page works without it: every way on is
 * a plain link. Nothing happens before a tap but the report that the page was seen.
 */
(function () {
  var body = document.body;
  var clickId = body.getAttribute('data-click');
  var FALLBACK_MS = 1000;
  /* Later than this the timer was held up because the app had opened: the visitor has long been elsewhere. */
  var STALE_MS = 2500;

  /* A request that outlives the page as a beacon does, and hears its answer, which a beacon does not. */
  var canHear = window.fetch && window.Request && 'keepalive' in Request.prototype;

  function report(step, isSecond) {
    if (!clickId) return;
    var text = clickId + ' ' + step;
    if (canHear) {
      /* What was not taken is sent once more if the page is still there then, and not at the same moment by every phone. */
      var again = function () {
        if (!isSecond) setTimeout(report, 2000 + Math.random() * 3000, step, true);
      };
      fetch('/-/step', { method: 'POST', body: text, keepalive: true }).then(function (answer) {
        return answer.status === 503 && again();
      }, again);
      return;
    }
    if (navigator.sendBeacon && navigator.sendBeacon('/-/step', text)) return;
    var request = new XMLHttpRequest();
    request.open('POST', '/-/step');
    request.send(text);
  }

  function reportView() {
    if (document.visibilityState === 'hidden' || document.visibilityState === 'prerender') return;
    document.removeEventListener('visibilitychange', reportView);
    report('view');
  }
  document.addEventListener('visibilitychange', reportView);
  reportView();

  var open = document.getElementById('open');
  var onward = document.getElementById('onward');
  var cancel = function () {};
  function watchOpening() {
    cancel();
    var startedAt = Date.now();
    var timer = setTimeout(function () {
      cancel();
      if (document.visibilityState !== 'hidden' && Date.now() - startedAt < STALE_MS) location.href = onward.href;
    }, FALLBACK_MS);
    var leave = function () {
      if (document.visibilityState === 'hidden') cancel();
    };
    cancel = function () {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', leave);
      removeEventListener('pagehide', cancel);
      cancel = function () {};
    };
    document.addEventListener('visibilitychange', leave);
    addEventListener('pagehide', cancel);
  }
  if (open) {
    open.addEventListener('click', function () {
      report('open');
      if (open.getAttribute('data-fallback') !== null) watchOpening();
    });
  }

  var copy = document.getElementById('copy');
  var code = document.getElementById('code');
  var said = document.getElementById('said');
  function say(name) {
    said.textContent = copy.getAttribute('data-' + name);
  }
  function sayCopied() {
    report('copy');
    say('copied');
  }
  function selectCode() {
    var range = document.createRange();
    range.selectNodeContents(code);
    var selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  }
  function copyByCommand() {
    selectCode();
    var isCopied = document.execCommand('copy');
    say(isCopied ? 'copied' : 'press');
  }
  if (copy) {
    copy.hidden = false;
    copy.addEventListener('click', function () {
      if (!navigator.clipboard || !navigator.clipboard.writeText) {
        copyByCommand();
        return;
      }
      navigator.clipboard.writeText(code.textContent).then(sayCopied, copyByCommand);
    });
    /* By the command above, or by hand. */
    document.addEventListener('copy', function () {
      report('copy');
    });
  }
})();
