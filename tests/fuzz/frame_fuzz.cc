// What comes on a pipe. The payload of every message type: what decodes must encode to the same octets, so
// that no two processes can understand one frame differently. And the frames themselves, through a real
// Channel over a socket pair: whole and cut into pieces the same frames must come out before the same end.
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/channel.h"
#include "lib/error.h"
#include "lib/loop.h"
#include "lib/messages.h"
#include "lib/web_messages.h"

using namespace po::messages;

template <class M>
static bool decodes(const po::Frame& frame) {
  M message;
  if (!frame.decode(message)) return false;
  if (po::wire::encode(message) != frame.payload) po::panic("a frame has two forms");
  return true;
}

template <class... M>
static bool any_decodes(const po::Frame& frame) {
  return (decodes<M>(frame) || ...);
}

/// As a receiver that would take every type.
static bool known(const po::Frame& frame) {
  return any_decodes<Welcome, Listen, Peer, LogFile, Certificates, Start, Ready, Stop, Administer,
                     AdministerAnswer, PassCommand, Authenticate, Verdict, Submit, Submitted, OpenBody,
                     BodyFile, DropBody, AskStored, Stored, AskUsage, Usage, OpenMailbox, Mailbox, Retrieve,
                     Message, Expunge, Expunged, CloseMailbox, Command, CommandOutput, HandedClient, Took,
                     HandOver, HandOverAnswer, AskConnection, LocalConnection, SystemFacts, MakeMaildrop,
                     MaildropMade, MaildropJob>(frame) ||
         any_decodes<WebLogIn, WebLoggedIn, WebLook, WebSession, WebLogOut, WebDone, WebShowForm, WebForm,
                     WebSubmitForm, WebAskHistory, WebHistory, WebUndo, WebAskAccounts, WebAccounts,
                     WebRemove, WebAskAccess, WebAccess, WebMakePassword, WebRevokePassword, WebCommand,
                     WebAskStatus, WebStatus, WebAskOrder, WebOrder, CarryOut, Abandon, WebMoreOutput>(frame);
}

struct Heard {
  std::string frames, end;
  bool operator==(const Heard&) const = default;
};

/// What a Channel makes of these octets, given `step` at a time.
static Heard hear(std::string_view in, std::size_t step) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    po::panic("socketpair failed");
  }
  po::Fd writer(ends[1]);
  static const po::Loop loop;  // making one costs more than all the rest
  Heard heard;
  po::Channel channel(
      loop, po::Fd(ends[0]),
      [&](po::Frame& frame) {
        heard.frames += std::to_string(frame.type) + ':' + std::to_string(frame.serial) + ':';
        heard.frames += frame.payload;
        return known(frame);
      },
      [&](std::string_view why) { heard.end = why; });
  auto turn = [&] { event_base_loop(loop.base(), EVLOOP_NONBLOCK); };
  for (; !in.empty() && heard.end.empty(); in.remove_prefix(std::min(step, in.size()))) {
    std::string_view piece = in.substr(0, step);
    if (::send(writer.get(), piece.data(), piece.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(piece.size()))
      break;
    turn();
  }
  writer.reset();
  for (int i = 0; i < 20 && heard.end.empty(); ++i) turn();  // read, then the end, then what is put off by it
  if (heard.end.empty()) po::panic("a channel outlives its other end");
  return heard;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::string_view in(reinterpret_cast<const char*>(data), size);
  (void)known({data[0], 0, in.substr(1), {}});

  std::string_view stream = in.substr(1);
  if (stream.size() > 16 * 1024) return 0;  // what the socket's buffer surely holds at once
  if (!(hear(stream, stream.size()) ==
        hear(stream, std::max<std::size_t>(1 + data[0] % 64, stream.size() / 8)))) {
    po::panic("a cut changes the frames");
  }
  return 0;
}
