// The page from memory; six handlers put each visitor's own parts in, of what their cookies say and of the country, which
// the network in front adds to the request.
import page from "page.html";
import parts from "parts.json";

const fields = { "content-type": "text/html; charset=utf-8" };

function cookiesOf(request) {
  const found = {};
  for (const pair of (request.headers.get("cookie") ?? "").split("; ")) {
    const at = pair.indexOf("=");
    found[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return found;
}

// Escapes, which is setInnerContent's way where nothing is said.
const text = (value) => ({ element: (element) => void element.setInnerContent(value) });
const markup = (value) => ({ element: (element) => void element.setInnerContent(value, { html: true }) });

export default {
  fetch(request) {
    const { name, segment, variant } = cookiesOf(request);
    const country = request.headers.get("x-country");
    return new HTMLRewriter()
      .on('div[data-edge="name"]', text(name))
      .on('div[data-edge="segment"]', text(parts.segment[segment]))
      .on('div[data-edge="price"]', text(parts.price[country]))
      .on('div[data-edge="hero"]', text(parts.hero[variant]))
      .on('div[data-edge="banner"]', markup(parts.banner[country]))
      .on('div[data-edge="offers"]', markup(parts.offers[segment]))
      .transform(new Response(page, { headers: fields }));
  },
};
