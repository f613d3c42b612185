# The built-in VCL follows. What stands between two @ is filled in by peers/varnish.py.
vcl 4.1;

@IMPORTS@

backend origin {
    .host = "@HOST@";
    .port = "@ORIGIN_PORT@";
}

acl trusted { "127.0.0.0"/8; }

sub vcl_recv {
    if (req.method == "PURGE") {
        if (client.ip !~ trusted) { return (synth(403)); }
        @PURGE@
        return (synth(200));
    }
    set req.http.X-Forwarded-Proto = "http";
    set req.http.X-Forwarded-Host = req.http.Host;
    # Pages do not depend on cookies here; the built-in VCL would let no request with one see the cache.
    unset req.http.Cookie;
}
