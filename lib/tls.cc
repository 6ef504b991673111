#include "lib/tls.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstring>
#include <vector>

namespace po {

template <auto F>
struct Free {
  template <class T>
  void operator()(T* p) const {
    F(p);
  }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Free<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using CtxPtr = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;

static std::string ssl_error() {
  char text[256] = "unknown error";
  unsigned long e = ERR_get_error();
  if (e != 0) ERR_error_string_n(e, text, sizeof text);
  ERR_clear_error();
  return text;
}

static Bio memory(const std::string& bytes) {
  return Bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

static X509Ptr first_certificate(const std::string& pem) {
  Bio in = memory(pem);
  return X509Ptr(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
}

struct TlsContext::Impl {
  std::vector<CtxPtr> contexts;
  std::vector<X509Ptr> leaves;
  std::vector<std::array<std::uint8_t, 80>>
      ticket_keys;  // name 16, HMAC key 32, AES-256 key 32; newest first

  static int choose_by_name(SSL* ssl, int* alert, void* self);
  static int ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                        EVP_MAC_CTX* mac, int encrypt);
  bool prepare(SSL_CTX* ctx);
};

/// SNI (RFC 6066 3): the certificate that names the host asked for; the first one if none does.
int TlsContext::Impl::choose_by_name(SSL* ssl, int*, void* self) {
  auto* impl = static_cast<Impl*>(self);
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  for (std::size_t i = 0; i < impl->leaves.size(); ++i) {
    if (X509_check_host(impl->leaves[i].get(), name, 0, 0, nullptr) == 1) {
      SSL_set_SSL_CTX(ssl, impl->contexts[i].get());
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return SSL_TLSEXT_ERR_NOACK;  // a mail client's wrong name is no reason to refuse (RFC 7817 leaves it to
                                // the client)
}

static bool set_mac_key(EVP_MAC_CTX* mac, const std::uint8_t* key) {
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<std::uint8_t*>(key), 32),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>("SHA256"), 0),
      OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/// RFC 5077 tickets with the dispatcher's keys, so that any worker resumes: 1 fine, 2 fine but renew, 0
/// unknown key.
int TlsContext::Impl::ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                                 EVP_MAC_CTX* mac, int encrypt) {
  auto* impl = static_cast<Impl*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  if (impl->ticket_keys.empty()) return encrypt != 0 ? -1 : 0;
  if (encrypt != 0) {
    const auto& key = impl->ticket_keys.front();
    std::memcpy(name, key.data(), 16);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
    bool ok = EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.data() + 48, iv) == 1 &&
              set_mac_key(mac, key.data() + 16);
    return ok ? 1 : -1;
  }
  for (std::size_t i = 0; i < impl->ticket_keys.size(); ++i) {
    const auto& key = impl->ticket_keys[i];
    if (std::memcmp(name, key.data(), 16) != 0) continue;
    bool ok = EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.data() + 48, iv) == 1 &&
              set_mac_key(mac, key.data() + 16);
    return !ok ? -1 : i == 0 ? 1 : 2;
  }
  return 0;
}

/// TLS 1.2 and later, ephemeral key exchange and AEAD only (RFC 9325).
bool TlsContext::Impl::prepare(SSL_CTX* ctx) {
  static const unsigned char kSessionContext[] = "post.office";
  SSL_CTX_set_mode(
      ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_app_data(ctx, this);
  if (ticket_keys.empty()) {
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(ctx, 0);
  } else {
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, &ticket_key);
    SSL_CTX_set_num_tickets(ctx, 1);
  }
  SSL_CTX_set_tlsext_servername_callback(ctx, &choose_by_name);
  SSL_CTX_set_tlsext_servername_arg(ctx, this);
  return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_session_id_context(ctx, kSessionContext, sizeof kSessionContext - 1) == 1 &&
         SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL") == 1 &&
         SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") == 1;
}

/// The leaf, then the rest of the chain, then the key that must match it.
static bool load(SSL_CTX* ctx, const messages::Certificate& c) {
  Bio chain = memory(c.chain);
  X509Ptr leaf(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
  if (!leaf || SSL_CTX_use_certificate(ctx, leaf.get()) != 1) return false;
  while (X509* next = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)) {
    if (SSL_CTX_add0_chain_cert(ctx, next) != 1) {
      X509_free(next);
      return false;
    }
  }
  ERR_clear_error();  // the end of the chain is reported as an error
  Bio in = memory(c.key);
  KeyPtr key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  return key && SSL_CTX_use_PrivateKey(ctx, key.get()) == 1 && SSL_CTX_check_private_key(ctx) == 1;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::make(const messages::Certificates& certificates) {
  if (certificates.certificates.empty()) return permanent("no certificate is configured");
  auto impl = std::make_unique<Impl>();
  impl->ticket_keys = certificates.ticket_keys;
  for (std::size_t i = 0; i < certificates.certificates.size(); ++i) {
    const auto& c = certificates.certificates[i];
    CtxPtr ctx(SSL_CTX_new(TLS_server_method()));
    if (!ctx || !impl->prepare(ctx.get())) return permanent("TLS cannot be set up: " + ssl_error());
    if (!load(ctx.get(), c)) {
      return permanent("certificate " + std::to_string(i + 1) +
                       " does not load or its key does not match: " + ssl_error());
    }
    impl->leaves.push_back(first_certificate(c.chain));
    impl->contexts.push_back(std::move(ctx));
  }
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(impl)));
}

/// Certificates that do not parse are left out: a list of a hundred has one now and then.
static std::size_t add_authorities(X509_STORE* store, const std::string& pem) {
  Bio in = memory(pem);
  std::size_t added = 0;
  while (BIO_eof(in.get()) == 0) {
    X509Ptr one(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
    if (one && X509_STORE_add_cert(store, one.get()) == 1) ++added;
  }
  ERR_clear_error();  // the end of the list is reported as an error
  return added;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::make_client(const std::string& authorities) {
  auto impl = std::make_unique<Impl>();
  CtxPtr ctx(SSL_CTX_new(TLS_client_method()));
  if (!ctx || SSL_CTX_set_min_proto_version(ctx.get(), TLS1_2_VERSION) != 1)
    return permanent("TLS cannot be set up: " + ssl_error());
  SSL_CTX_set_mode(ctx.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(ctx.get(),
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_session_cache_mode(ctx.get(), SSL_SESS_CACHE_OFF);
  if (!authorities.empty()) {
    if (add_authorities(SSL_CTX_get_cert_store(ctx.get()), authorities) == 0)
      return permanent("no certificate authority can be loaded");
    // What is in the list is trusted itself, though its issuer is not in it, or another one of its name is.
    X509_STORE_set_flags(SSL_CTX_get_cert_store(ctx.get()), X509_V_FLAG_PARTIAL_CHAIN);
    SSL_CTX_set_verify(ctx.get(), SSL_VERIFY_PEER, nullptr);
  }
  impl->contexts.push_back(std::move(ctx));
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(impl)));
}

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;
ssl_ctx_st* TlsContext::get() const {
  return impl_->contexts.front().get();
}

// ---- self-signed certificates

static std::string pem_of(BIO* out) {
  char* data = nullptr;
  long n = BIO_get_mem_data(out, &data);
  return {data, static_cast<std::size_t>(n)};
}

static bool add_extension(X509* cert, int nid, const std::string& value) {
  X509V3_CTX ctx;
  X509V3_set_ctx_nodb(&ctx);
  X509V3_set_ctx(&ctx, cert, cert, nullptr, nullptr, 0);
  X509_EXTENSION* e = X509V3_EXT_conf_nid(nullptr, &ctx, nid, value.c_str());
  if (e == nullptr) return false;
  bool ok = X509_add_ext(cert, e, -1) == 1;
  X509_EXTENSION_free(e);
  return ok;
}

static bool fill(X509* cert, EVP_PKEY* key, const std::string& hostname) {
  static constexpr long kTenYears = 3650L * 24 * 3600;
  static constexpr std::size_t kMaxCommonName = 64;  // X.520 ub-common-name
  std::uint64_t serial = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) return false;
  X509_set_version(cert, X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1);
  X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert), kTenYears);
  X509_NAME* name = X509_get_subject_name(cert);
  std::string common = hostname.substr(0, kMaxCommonName);
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common.c_str()), -1, -1, 0) == 1 &&
         X509_set_issuer_name(cert, name) == 1 && X509_set_pubkey(cert, key) == 1 &&
         add_extension(cert, NID_subject_alt_name, "DNS:" + hostname) &&
         add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(cert, NID_ext_key_usage, "serverAuth") && X509_sign(cert, key, EVP_sha256()) > 0;
}

Result<messages::Certificate> make_self_signed(const std::string& hostname) {
  KeyPtr key(EVP_EC_gen("P-256"));
  X509Ptr cert(X509_new());
  if (!key || !cert || !fill(cert.get(), key.get(), hostname)) {
    return permanent("a certificate for " + hostname + " cannot be made: " + ssl_error());
  }
  Bio chain(BIO_new(BIO_s_mem()));
  Bio secret(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(chain.get(), cert.get()) != 1 ||
      PEM_write_bio_PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return permanent("a certificate for " + hostname + " cannot be written: " + ssl_error());
  }
  return messages::Certificate{pem_of(chain.get()), pem_of(secret.get())};
}

Result<int> certificate_days_left(const std::string& chain_pem) {
  X509Ptr cert = first_certificate(chain_pem);
  if (!cert) return permanent("this is no PEM certificate: " + ssl_error());
  int days = 0;
  int seconds = 0;
  if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(cert.get())) != 1) {
    return permanent("its end date cannot be read");
  }
  return days;
}

}  // namespace po
