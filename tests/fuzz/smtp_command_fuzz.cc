// Command lines and SASL messages: whatever comes, what is passed on can end no line and no field.
#include <cstdint>
#include <string_view>

#include "lib/error.h"
#include "lib/text.h"
#include "smtpd/command.h"

static void harmless(std::string_view text) {
  for (char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) po::panic("a control character came through");
  }
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view in(reinterpret_cast<const char*>(data), size);
  smtpd::Command c = smtpd::parse_command(in);
  for (std::string_view text : {in, c.argument}) {
    if (auto helo = smtpd::parse_helo(text)) {
      harmless(*helo);
      if (!po::is_ascii(*helo)) po::panic("EHLO took more than ASCII");
    }
    for (bool flag : {false, true}) {
      if (auto mail = smtpd::parse_mail(text, flag)) {
        if (!mail->null) harmless(mail->sender.canonical());
        harmless(mail->envid);
        if (!mail->smtputf8 && !po::is_ascii(mail->sender.canonical())) po::panic("UTF-8 without SMTPUTF8");
      }
      if (auto rcpt = smtpd::parse_rcpt(text, flag)) {
        harmless(rcpt->recipient.canonical());
        harmless(rcpt->orcpt);
        if (!flag && !po::is_ascii(rcpt->recipient.canonical())) po::panic("UTF-8 without SMTPUTF8");
      }
    }
    if (auto start = smtpd::parse_start(text)) {
      harmless(start->domain);
      if (start->domain.empty() || !po::is_ascii(start->domain)) po::panic("ETRN took what is no domain");
    }
    (void)smtpd::parse_bdat(text);
    (void)smtpd::parse_auth(text);
    if (auto sasl = smtpd::parse_sasl_response(text)) (void)smtpd::parse_plain(*sasl);
    if (auto plain = smtpd::parse_plain(text)) {
      harmless(plain->login);
      harmless(plain->password);
    }
  }
  return 0;
}
