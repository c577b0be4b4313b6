(function () {
  var log = function (id, line) {
    var place = document.getElementById(id);
    place.textContent = (place.textContent + line + "\n").split("\n").slice(-12).join("\n");
  };
  var events = new EventSource("/events");
  events.onmessage = function (event) { log("events", event.data); };
  events.onerror = function () { log("events", "(the stream was cut; the browser tries again)"); };
  var socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/echo");
  socket.onopen = function () { log("echo", "(open)"); socket.send("hello from the browser"); };
  socket.onmessage = function (event) { log("echo", "← " + event.data); };
  socket.onclose = function () { log("echo", "(closed)"); };
  document.getElementById("say").addEventListener("submit", function (event) {
    event.preventDefault();
    var field = document.getElementById("words");
    log("echo", "→ " + field.value);
    socket.send(field.value);
    field.value = "";
  });
})();
