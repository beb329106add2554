/*
 * Runs in visitors' browsers and in old web views of apps, so it uses no syntax newer than 2015. The page works without it: every action is a
 * plain link. Before a tap it only reports that the page is visible.
 */
(function () {
  var body = document.body;
  var clickId = body.getAttribute('data-click');
  var FALLBACK_MS = 1000;
  /* A timer that fires later than this was suspended because the app had opened. */
  var STALE_MS = 2500;

  /* Such a request outlives the page like a beacon, and unlike a beacon its answer can be read. */
  var canReadAnswer = window.fetch && window.Request && 'keepalive' in Request.prototype;

  function report(step, isSecond) {
    if (!clickId) return;
    var text = clickId + ' ' + step;
    if (canReadAnswer) {
      /* A refused report is sent once more if the page is still open, after a random pause so that phones do not retry at once. */
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
    /* Fires for the command above and for a copy by hand. */
    document.addEventListener('copy', function () {
      report('copy');
    });
  }
})();
