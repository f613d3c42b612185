# The built-in VCL follows. What stands between two @ is filled in by peers/varnish.py.
vcl 4.1;

import cookie;

backend origin {
    .host = "@HOST@";
    .port = "@ORIGIN_PORT@";
}

sub vcl_recv {
    if (req.esi_level == 0) {
        # Read once; the parts below see what stands here as req_top's.
        cookie.parse(req.http.Cookie);
        set req.http.X-Name = cookie.get("name");
        set req.http.X-Segment = cookie.get("segment");
        set req.http.X-Variant = cookie.get("variant");
        set req.http.X-Forwarded-Proto = "http";
        set req.http.X-Forwarded-Host = req.http.Host;
    }
    # A part is an object for each value of what it hangs on, found by its URL: Vary would go through them one by one.
    @PARTS@
    unset req.http.Cookie;
}

sub vcl_backend_fetch {
    set bereq.http.Surrogate-Capability = {"edge="ESI/1.0""};
}

sub vcl_backend_response {
    if (beresp.http.Surrogate-Control ~ "ESI/1\.0") {
        unset beresp.http.Surrogate-Control;
        set beresp.do_esi = true;
    }
}
