-- The answer job in nginx: verify a bearer token (HS256), then give the page or let it come from the cache. geo and split_clients do the rest.
-- libcrypto is called through LuaJIT's FFI with one HMAC context, keyed once; claims are read by cjson.
local base64 = require "ngx.base64"
local cjson = require "cjson.safe"
local ffi = require "ffi"
local lrucache = require "resty.lrucache"

ffi.cdef [[
typedef struct hmac_ctx_st HMAC_CTX;
typedef struct evp_md_st EVP_MD;
HMAC_CTX *HMAC_CTX_new(void);
const EVP_MD *EVP_sha256(void);
int HMAC_Init_ex(HMAC_CTX *, const void *, int, const EVP_MD *, void *);
int HMAC_Update(HMAC_CTX *, const char *, size_t);
int HMAC_Final(HMAC_CTX *, unsigned char *, unsigned int *);
int CRYPTO_memcmp(const void *, const void *, size_t);
]]

local C = ffi.load "@LIBCRYPTO@"
local SECRET, ISSUER, AUDIENCE = "@SECRET@", "@ISSUER@", "@AUDIENCE@"
local find, sub, now = string.find, string.sub, ngx.time
local context = C.HMAC_CTX_new()
local digest, digest_length = ffi.new("unsigned char[64]"), ffi.new("unsigned int[1]")
local remembered = @REMEMBERED@ > 0 and lrucache.new(@REMEMBERED@)
local algorithms = {} -- by header: there are as many as there are issuers' key versions

C.HMAC_Init_ex(context, SECRET, #SECRET, C.EVP_sha256(), nil)

local file = assert(io.open(ngx.config.prefix() .. "page.html", "rb"))
local PAGE = file:read "*a"
file:close()

local function algorithm_of(header)
    local known = algorithms[header]
    if known == nil then
        local fields = cjson.decode(base64.decode_base64url(header) or "") or {}
        known = fields.alg or ""
        algorithms[header] = known
    end
    return known
end

local function signed_by_us(token, length, signature)
    C.HMAC_Init_ex(context, nil, 0, nil, nil)
    C.HMAC_Update(context, token, length)
    C.HMAC_Final(context, digest, digest_length)
    return #signature == 32 and C.CRYPTO_memcmp(digest, signature, 32) == 0
end

local function verify(token)
    local first = find(token, ".", 1, true)
    local second = first and find(token, ".", first + 1, true)
    if not second or algorithm_of(sub(token, 1, first - 1)) ~= "HS256" then return nil end
    local signature = base64.decode_base64url(sub(token, second + 1))
    if not signature or not signed_by_us(token, second - 1, signature) then return nil end
    local claims = cjson.decode(base64.decode_base64url(sub(token, first + 1, second - 1)) or "")
    if not claims or claims.iss ~= ISSUER or claims.aud ~= AUDIENCE then return nil end
    if not claims.exp or claims.exp <= now() or (claims.nbf and claims.nbf > now()) then return nil end
    return claims
end

local function verify_or_remember(token)
    local claims = remembered:get(token)
    if claims then return claims end
    claims = verify(token)
    if claims then remembered:set(token, claims, claims.exp - now()) end
    return claims
end

local check_token = remembered and verify_or_remember or verify
local gate = {}

function gate.check()
    local authorization = ngx.var.http_authorization
    local claims
    if authorization and sub(authorization, 1, 7) == "Bearer " then
        claims = check_token(sub(authorization, 8))
    end
    if not claims then
        ngx.header["WWW-Authenticate"] = 'Bearer realm="shop"'
        return ngx.exit(401)
    end
end

function gate.answer()
    gate.check()
    ngx.header.content_length = #PAGE
    ngx.print(PAGE)
end

return gate
