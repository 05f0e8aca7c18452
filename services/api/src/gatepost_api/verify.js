"use strict";
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const hex = (buffer) => Array.from(new Uint8Array(buffer), (b) => b.toString(16).padStart(2, "0")).join("");

  // The claim that a header carries, if one of the keys signed it. Throws with a sentence for the reader.
  async function verify(value, keys) {
    const [head, tail] = value.replace(/^\s*x-gatepost-identity\s*:/i, "").replace(/\s+/g, "").split(".");
    if (!head || !tail) throw new Error("This is no identity header.");
    const signed = bytes(head);
    const claim = JSON.parse(new TextDecoder().decode(signed));
    const found = keys.find((key) => key.kid === claim.kid);
    if (!found) throw new Error("It was signed with a key that this installation does not publish.");
    const algorithm = { name: "ECDSA", namedCurve: "P-256" };
    const key = await crypto.subtle.importKey("jwk", found, algorithm, false, ["verify"]);
    const good = await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, bytes(tail), signed);
    if (!good) throw new Error("The signature is wrong: this header was not made here, or was changed.");
    return claim;
  }

  // Does the text belong to the claim? Line ends and spaces at the end do not count.
  async function fits(claim, text) {
    const plain = text.replace(/\r\n?/g, "\n").trimEnd() + "\n";
    return hex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(plain))) === claim.body_sha256;
  }

  if (typeof document === "undefined") {
    globalThis.gatepostVerify = { verify, fits };
    return;
  }
  const field = (id) => document.getElementById(id);

  function say(text, kind) {
    field("verdict").textContent = text;
    field("verdict").className = kind;
  }

  function show(claim) {
    const body = field("claim").tBodies[0];
    body.replaceChildren();
    for (const name of Object.keys(claim).sort()) {
      const row = body.insertRow();
      const head = document.createElement("th");
      head.textContent = name;
      row.append(head);
      const value = name === "iat" ? new Date(claim[name] * 1000).toISOString() : JSON.stringify(claim[name]);
      row.insertCell().textContent = value;
    }
    field("claim").hidden = false;
  }

  async function check() {
    field("claim").hidden = true;
    try {
      const reply = await fetch("/.well-known/gatepost-signing-key", { credentials: "omit" });
      const claim = await verify(field("header").value, (await reply.json()).keys);
      show(claim);
      const text = field("text").value;
      if (text && !(await fits(claim, text))) {
        say("The header is genuine, but this text is not the one it was made for.", "bad");
        return;
      }
      say(`Genuine: sent for ${claim.operator}${claim.approved ? ", approved by a person" : ""}.`, "good");
    } catch (error) {
      const known = error instanceof Error && error.constructor === Error;
      say(known ? error.message : "This is no identity header.", "bad");
    }
  }

  field("check").addEventListener("click", check);
  if (location.hash.length > 1) {
    field("header").value = decodeURIComponent(location.hash.slice(1));
    check();
  }
})();
