// TLS keys: read by the dispatcher (as root at start, as the suite's user at reload), handed to smtpd,
// pop3d and wwwd as octets; wwwd may have its own. Without a `certificate` line a self-signed one is made in
// SPOOL/tls on first start.
#pragma once

#include <string>
#include <vector>

#include "dispatcher/privileges.h"
#include "lib/config.h"
#include "lib/error.h"
#include "lib/messages.h"

namespace dispatcher {

/// The chain and key files in use: those of the configuration, or SPOOL/tls/certificate.pem and key.pem.
[[nodiscard]] std::vector<po::config::CertificateFiles> certificate_files(const po::config::Config& config);
/// Makes the self-signed certificate if none is configured and none is there. True if it made one.
[[nodiscard]] po::Result<bool> make_certificate_if_none(const po::config::Config& config,
                                                        const Identity& who);
/// Reads all, and checks that each key fits.
[[nodiscard]] po::Result<std::vector<po::messages::Certificate>> read_certificates(
    const std::vector<po::config::CertificateFiles>& files);
/// For `check`: one certificate's files.
[[nodiscard]] po::Result<po::messages::Certificate> read_certificate(
    const po::config::CertificateFiles& files);

/// Keys for TLS session tickets, newest first; changed now and then so that an old one opens little.
class SessionTicketKeys {
 public:
  SessionTicketKeys() { rotate(); }
  void rotate();
  [[nodiscard]] const std::vector<std::array<std::uint8_t, 80>>& keys() const { return keys_; }

 private:
  std::vector<std::array<std::uint8_t, 80>> keys_;
};

}  // namespace dispatcher
