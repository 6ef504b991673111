#include "smtpd/trace.h"

#include "lib/header.h"
#include "lib/net_address.h"
#include "lib/text.h"

namespace smtpd {

std::string with_word(const TraceFacts& f) {
  bool tls = !f.tls_version.empty();
  std::string word = f.smtputf8 ? "UTF8SMTP" : f.esmtp || tls || f.authenticated ? "ESMTP" : "SMTP";
  if (tls) word += 'S';
  if (f.authenticated) word += 'A';
  return word;
}

/// TCP-info of RFC 5321 4.4: "(name [192.0.2.1])"; who came by the local socket has a number of another kind.
static std::string client_info(const TraceFacts& f) {
  if (f.local_uid != 0xffffffff) {
    std::string user = f.local_user.empty() ? "" : ", " + f.local_user;
    return "(local user " + std::to_string(f.local_uid) + user + ")";
  }
  std::string literal =
      "[" + std::string(f.client.family == 6 ? "IPv6:" : "") + po::address_text(f.client) + "]";
  if (f.client.family == 0) literal = "local";
  return f.name.empty() ? "(" + literal + ")" : "(" + f.name + " " + literal + ")";
}

std::string received_field(const TraceFacts& f) {
  std::string out;
  out.reserve(320);
  out += "Received: from ";
  out += f.helo;
  out += ' ';
  out += client_info(f);
  out += "\r\n\tby ";
  out += f.host;
  out += " (Post.Office) with ";
  out += with_word(f);
  out += " id ";
  out += f.id;
  if (!f.tls_version.empty()) {
    out += "\r\n\t(";
    out += f.tls_version;
    out += ' ';
    out += f.tls_cipher;
    out += ')';
  }
  // Without SMTPUTF8 the address is ASCII already; the check keeps that true here.
  if (!f.only_recipient.empty() && (f.smtputf8 || po::is_ascii(f.only_recipient))) {
    out += "\r\n\tfor <";
    out += f.only_recipient;
    out += '>';
  }
  out += "; ";
  out += po::format_date(f.now);
  out += "\r\n";
  return out;
}

}  // namespace smtpd
