// TLS contexts. For servers: 1.2 and later, forward secrecy only, AEAD ciphers; several certificates chosen
// by SNI; session tickets with keys from the dispatcher, so that any worker resumes. For clients: 1.2 and
// later, whatever ciphers the library holds good. OpenSSL stays behind this header and lib/stream.h.
#pragma once

#include <memory>
#include <string>

#include "lib/error.h"
#include "lib/messages.h"

struct ssl_ctx_st;
struct ssl_st;

namespace po {

/// Immutable once built. Sessions hold a shared_ptr, so a reload does not disturb them.
class TlsContext {
 public:
  /// Permanent failure naming the certificate that does not load or does not match its key.
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> make(
      const messages::Certificates& certificates);
  /// A client's. `authorities`: certificates, PEM, that a server's has to come from (Stream::connect_tls);
  /// empty: any certificate is taken. Permanent failure if they do not load.
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> make_client(
      const std::string& authorities = {});
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  [[nodiscard]] ssl_ctx_st* get() const;

 private:
  struct Impl;
  explicit TlsContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A self-signed certificate (P-256, ten years) for `hostname`, PEM.
[[nodiscard]] Result<messages::Certificate> make_self_signed(const std::string& hostname);
/// Days until the first certificate of the chain ends (negative: over), or why it cannot be read.
[[nodiscard]] Result<int> certificate_days_left(const std::string& chain_pem);

}  // namespace po
