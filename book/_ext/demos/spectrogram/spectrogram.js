/* The spectrogram to play with: a short-time Fourier transform in the reader's browser, of the sounds that the build
   wrote to data.js or of the reader's own microphone. Nothing is sent anywhere. */
(function () {
  "use strict";

  // --- the transform: as numpy.fft.rfft of windowed frames ---

  const cosine = (a, b) => (n) => Float64Array.from({ length: n }, (_, i) => a - b * Math.cos((2 * Math.PI * i) / n));
  const WINDOWS = { hann: cosine(0.5, 0.5), hamming: cosine(0.54, 0.46), rectangular: (n) => new Float64Array(n).fill(1) };

  /* Sine and cosine of every step of a transform of n numbers, and the order in which a radix-2 FFT reads them. */
  const plans = new Map();
  function plan(n) {
    if (plans.has(n)) return plans.get(n);
    const order = new Uint32Array(n);
    for (let i = 1; i < n; i++) order[i] = (order[i >> 1] >> 1) | (i & 1 ? n >> 1 : 0);
    const cos = Float64Array.from({ length: n / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / n));
    const sin = Float64Array.from({ length: n / 2 }, (_, i) => -Math.sin((2 * Math.PI * i) / n));
    plans.set(n, { order, cos, sin, re: new Float64Array(n), im: new Float64Array(n) });
    return plans.get(n);
  }

  /* Magnitudes of the frequencies 0 to n/2 of the frame of n samples from `start`; outside the sound there are zeros. */
  function magnitudes(samples, start, window, out) {
    const n = window.length, { order, cos, sin, re, im } = plan(n);
    for (let i = 0; i < n; i++) {
      const from = start + order[i];
      re[i] = from < 0 || from >= samples.length ? 0 : samples[from] * window[order[i]];
    }
    im.fill(0);
    for (let half = 1; half < n; half *= 2) {
      const step = n / (2 * half);
      for (let block = 0; block < n; block += 2 * half) {
        for (let k = 0; k < half; k++) {
          const a = block + k, b = a + half, c = cos[k * step], s = sin[k * step];
          const real = re[b] * c - im[b] * s, imaginary = re[b] * s + im[b] * c;
          re[b] = re[a] - real; im[b] = im[a] - imaginary;
          re[a] += real; im[a] += imaginary;
        }
      }
    }
    for (let k = 0; k <= n / 2; k++) out[k] = Math.hypot(re[k], im[k]);
  }

  /* Frame j is centred at sample j * hop. One row of n/2 + 1 magnitudes after the other. */
  function stft(samples, n, hop, shape) {
    const window = WINDOWS[shape](n), bins = n / 2 + 1, frames = 1 + Math.floor(samples.length / hop);
    const out = new Float32Array(frames * bins);
    for (let j = 0; j < frames; j++) magnitudes(samples, j * hop - n / 2, window, out.subarray(j * bins, (j + 1) * bins));
    return { out, frames, bins, hop, n };
  }

  // --- Slaney's mel scale: linear up to 1,000 Hz, logarithmic above ---

  const STEP = Math.log(6.4) / 27;
  const toMel = (hz) => (hz < 1000 ? (3 * hz) / 200 : 15 + Math.log(hz / 1000) / STEP);
  const fromMel = (mel) => (mel < 15 ? (200 * mel) / 3 : 1000 * Math.exp(STEP * (mel - 15)));
  const AXES = {
    linear: { up: (hz) => hz, down: (x) => x, ticks: [0, 2000, 4000, 6000, 8000] },
    mel: { up: toMel, down: fromMel, ticks: [0, 500, 1000, 2000, 4000, 8000] },
  };

  // --- drawing ---

  const RANGE = 80, HEIGHT = 260;
  const COLOURS = [[0, 0, 4], [59, 15, 112], [140, 41, 129], [222, 73, 104], [254, 159, 109], [252, 253, 191]];
  const PALETTE = Array.from({ length: 256 }, (_, i) => {
    const x = (i / 255) * (COLOURS.length - 1), k = Math.min(Math.floor(x), COLOURS.length - 2);
    return COLOURS[k].map((c, j) => Math.round(c + (x - k) * (COLOURS[k + 1][j] - c)));
  });

  function drawPicture(canvas, result, axis, rate, peak) {
    const { out, frames, bins } = result, top = AXES[axis].up(rate / 2);
    canvas.width = frames;
    canvas.height = HEIGHT;
    const context = canvas.getContext("2d"), image = context.createImageData(frames, HEIGHT);
    for (let y = 0; y < HEIGHT; y++) {
      const hz = AXES[axis].down((1 - (y + 0.5) / HEIGHT) * top);
      const bin = Math.min(Math.round((hz / rate) * result.n), bins - 1);
      for (let x = 0; x < frames; x++) {
        const level = peak > 0 ? 20 * Math.log10(Math.max(out[x * bins + bin] / peak, 1e-9)) : -RANGE;
        const colour = PALETTE[Math.round(255 * Math.max(0, 1 + level / RANGE))];
        image.data.set([...colour, 255], 4 * (y * frames + x));
      }
    }
    context.putImageData(image, 0, 0);
  }

  function drawWave(canvas, samples) {
    const width = Math.max(200, canvas.clientWidth), height = 60, context = canvas.getContext("2d");
    canvas.width = width;
    canvas.height = height;
    context.fillStyle = "#0d9488";
    for (let x = 0; x < width; x++) {
      let low = 0, high = 0;
      const end = Math.floor(((x + 1) * samples.length) / width);
      for (let i = Math.floor((x * samples.length) / width); i < end; i++) {
        low = Math.min(low, samples[i]);
        high = Math.max(high, samples[i]);
      }
      context.fillRect(x, (height / 2) * (1 - high), 1, Math.max(1, (height / 2) * (high - low)));
    }
  }

  function labels(node, items, side) {
    node.replaceChildren(...items.map(([share, text]) => {
      const label = document.createElement("span");
      label.style[side] = `${100 * share}%`;
      label.textContent = text;
      return label;
    }));
  }

  // --- words: what the picture shows, for those who cannot see it ---

  function loudest({ out, bins }) {
    let best = 0;
    for (let i = 1; i < out.length; i++) if (out[i] > out[best]) best = i;
    return { frame: Math.floor(best / bins), bin: best % bins, value: out[best] };
  }

  function words(name, samples, rate, result, shape, best) {
    const { n, hop } = result, ms = ((1000 * n) / rate).toFixed(0), apart = (rate / n).toFixed(rate / n < 20 ? 1 : 0);
    const peak = samples.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const means = `A ${{ hann: "Hann", hamming: "Hamming", rectangular: "rectangular" }[shape]} window of ${n} samples lasts ${ms} ms; its frequencies lie ${apart} Hz apart.`;
    const length = `${name}, ${(samples.length / rate).toFixed(1)} s.`;
    if (best.value === 0) return `${length} It is silent: every cell is at the floor. ${means}`;
    const at = `Loudest near ${Math.round((best.bin * rate) / n)} Hz, at ${((best.frame * hop) / rate).toFixed(2)} s.`;
    const clipped = peak >= 0.999 ? " The recording is clipped: step back from the microphone." : "";
    return `${length} ${means} ${at}${clipped}`;
  }

  // --- the microphone ---

  const REFUSED = {
    NotAllowedError: "The microphone was refused, so there is nothing to show. The sounds in the list work without it.",
    NotFoundError: "No microphone was found. The sounds in the list work without one.",
    missing: "This browser gives this page no microphone; pages opened from disk often may not use it. The sounds in the list work without it.",
  };
  const refusal = (error) => REFUSED[error.name] || `The microphone cannot be used (${error.name}). The sounds in the list work without it.`;

  async function record(seconds, rate) {
    if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) throw Object.assign(new Error(), { name: "missing" });
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    try {
      const recorder = new MediaRecorder(stream), parts = [];
      const done = new Promise((resolve) => { recorder.onstop = resolve; });
      recorder.ondataavailable = (event) => parts.push(event.data);
      recorder.start();
      setTimeout(() => recorder.stop(), 1000 * seconds);
      await done;
      const bytes = await new Blob(parts).arrayBuffer();
      const decoded = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);  // converts to `rate` too
      return mono(decoded).slice(0, seconds * rate);
    } finally {
      stream.getTracks().forEach((track) => track.stop());  // the microphone is off again
    }
  }

  function mono(buffer) {
    const channels = Array.from({ length: buffer.numberOfChannels }, (_, i) => buffer.getChannelData(i));
    return channels[0].map((_, t) => channels.reduce((sum, channel) => sum + channel[t], 0) / channels.length);
  }

  // --- one panel ---

  function decode(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)), view = new DataView(bytes.buffer);
    return Float32Array.from({ length: bytes.length / 2 }, (_, i) => view.getInt16(2 * i, true) / 32768);
  }

  function start(box, data) {
    const find = (name) => box.querySelector(`.sg-${name}`), rate = data.rate;
    const sounds = new Map(data.sounds.map((sound) => [sound.name, sound.samples]));
    const chosen = { samples: null, name: "" };
    let playing = null, context = null;

    function show() {
      const n = 2 ** Number(find("length").value), shape = find("shape").value, axis = find("axis").value;
      const result = stft(chosen.samples, n, Math.max(32, n / 16), shape), best = loudest(result);
      const seconds = chosen.samples.length / rate, top = AXES[axis].up(rate / 2);
      drawPicture(find("picture"), result, axis, rate, best.value);
      drawWave(find("wave"), chosen.samples);
      labels(find("ylabels"), AXES[axis].ticks.map((hz) => [AXES[axis].up(hz) / top, `${hz.toLocaleString("en")}${hz ? "" : " Hz"}`]), "bottom");
      labels(find("xlabels"), [0, 0.25, 0.5, 0.75, 1].map((share) => [share, (share * seconds).toFixed(2) + (share === 1 ? " s" : "")]), "left");
      find("window").style.width = `${Math.min(100, (100 * n) / chosen.samples.length)}%`;
      const length = `${n} samples, ${((1000 * n) / rate).toFixed(0)} ms`;
      find("samples").textContent = length;
      find("length").setAttribute("aria-valuetext", length);
      find("status").textContent = words(chosen.name, chosen.samples, rate, result, shape, best);
    }

    function choose(name, samples) {
      stop();
      Object.assign(chosen, { name, samples });
      show();
    }

    function stop() {
      if (!playing) return;
      const source = playing;
      playing = null;
      source.onended = null;
      source.stop();
      find("cursor").hidden = true;
      find("play").textContent = "Play";
    }

    function play() {
      context ??= new AudioContext();
      context.resume();
      const buffer = context.createBuffer(1, chosen.samples.length, rate), source = context.createBufferSource();
      buffer.copyToChannel(chosen.samples, 0);
      source.buffer = buffer;
      source.connect(context.destination);
      source.onended = stop;
      source.start();
      playing = source;
      find("play").textContent = "Stop";
      find("cursor").hidden = false;
      const begun = context.currentTime;
      (function move() {
        if (playing !== source) return;
        const share = (context.currentTime - begun) / buffer.duration;
        find("cursor").style.left = `${Math.min(100, 100 * share)}%`;
        requestAnimationFrame(move);
      })();
    }

    async function listen() {
      const button = find("record"), seconds = 3;
      stop();
      button.disabled = true;
      find("message").textContent = "";
      button.textContent = "Recording…";
      try {
        const samples = await record(seconds, rate);
        const name = "Your recording", sound = find("sound");
        if (![...sound.options].some((option) => option.text === name)) sound.add(new Option(name));
        sounds.set(name, samples);
        sound.value = name;
        choose(name, samples);
      } catch (error) {
        find("message").textContent = refusal(error);
      }
      button.disabled = false;
      button.textContent = `Record ${seconds} seconds`;
      button.focus();
    }

    function pick() {
      const name = find("sound").value, kept = sounds.get(name);
      if (typeof kept === "string") sounds.set(name, decode(kept));  // decoded when first needed
      choose(name, sounds.get(name));
    }

    box.classList.add("sg-ready");
    find("sound").addEventListener("change", pick);
    for (const name of ["shape", "axis"]) find(name).addEventListener("change", show);
    find("length").addEventListener("input", show);
    find("play").addEventListener("click", () => (playing ? stop() : play()));
    find("record").addEventListener("click", listen);
    window.addEventListener("resize", () => drawWave(find("wave"), chosen.samples));
    pick();
  }

  document.addEventListener("DOMContentLoaded", () => {
    const data = window.SPECTROGRAM_DATA;
    if (!data) return;
    document.querySelectorAll(".spectrogram").forEach((box) => start(box, data));
    window.spectrogramDemo = {
      stft: (samples, n, hop, shape) => { const { out, frames, bins } = stft(samples, n, hop, shape); return { frames, bins, values: [...out] }; },
      samples: (name) => [...decode(data.sounds.find((sound) => sound.name === name).samples)],
      toMel, fromMel,
    };
  });
})();
