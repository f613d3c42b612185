// The page as it is, from memory.
import page from "page.html";

const fields = { "content-type": "text/html; charset=utf-8" };

export default {
  fetch() {
    return new Response(page, { headers: fields });
  },
};
