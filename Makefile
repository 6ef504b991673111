# make            all programs under build/
# make check      unit tests and fuzz corpora: offline, no root
# make V=asan     the same under the address and undefined-behaviour sanitizers, in build/asan
# make fuzz       libFuzzer targets (clang), in build/fuzz
# make fuzz-run   runs each of them for FUZZ_SECONDS (600) of processor time
# make format lint compile_commands.json clean
#
# Per program: its objects and its libraries, so what a binary can reach is readable here.

V ?= release
ifeq ($(V),release)
B ?= build
else
B ?= build/$(V)
endif
CCACHE := $(shell command -v ccache)
ifeq ($(origin CXX),default)
CXX := $(CCACHE) g++
endif

CPPFLAGS += -I. -D_GNU_SOURCE
CXXFLAGS ?= -O2 -g
CXXFLAGS += -std=c++20 -Wall -Wextra -Wpedantic -Werror -fstack-protector-strong -fPIE -pthread \
  -ffile-prefix-map=$(CURDIR)=.
LDFLAGS += -pie -Wl,-z,relro,-z,now -Wl,--as-needed -pthread
ifeq ($(V),asan)
CXXFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g1 -Wno-maybe-uninitialized -DPOST_OFFICE_SANITIZED
LDFLAGS += -fsanitize=address,undefined
else ifeq ($(V),fuzz)
CXX := clang++
CXXFLAGS += -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DPOST_OFFICE_SANITIZED
LDFLAGS += -fsanitize=address,undefined
else
CPPFLAGS += -D_FORTIFY_SOURCE=2
CXXFLAGS += -fstack-clash-protection
ifneq ($(filter x86_64%,$(shell $(CXX) -dumpmachine)),)
CXXFLAGS += -fcf-protection=full
endif
endif

all: programs

# ---- libraries: name = sources -----------------------------------------------------------------------------------
CORE      := error id log log_parse net_address loop channel inetd module notice checksum ticket order command_task order_desk sandbox
NET       := stream tls listener doors interfaces setup_check dns dns_exchange dns_packet dns_hosts dns_cache
MAIL      := address address_list access line_buffer header text dot_decoder dot_encoder story
core_SRC      := $(CORE:%=lib/%.cc)
net_SRC       := $(NET:%=lib/%.cc)
mail_SRC      := $(MAIL:%=lib/%.cc)
config_SRC    := lib/config.cc lib/config_read.cc
store_SRC     := $(wildcard lib/store/*.cc)
directory_SRC := $(wildcard lib/directory/*.cc)
form_SRC      := $(wildcard lib/form/*.cc)
LIBS := core net mail config store directory form

core_LD      := -levent -lseccomp -lcrypto -lfmt
net_LD       := -levent -lssl -lcrypto -ludns -lfmt
mail_LD      := -lidn2 -lunistring -lfmt
config_LD    := -lfmt
store_LD     := -llmdb -lfmt
directory_LD := -llmdb -lfmt
form_LD      := -lfmt

# ---- programs: folder, libraries in link order ---------------------------------------------------------------------
PROGRAMS := post.office accounts queue smtpd pop3d wwwd smtp-deliver unix-deliver lmtp-deliver fingerd story
post.office_DIR := dispatcher
accounts_DIR    := accounts
queue_DIR       := queue
smtpd_DIR       := smtpd
pop3d_DIR       := pop3d
wwwd_DIR        := wwwd
smtp-deliver_DIR := deliver
fingerd_DIR     := fingerd

unix-deliver_SRC := $(wildcard deliver/unix/*.cc) deliver/content.cc deliver/to_7bit.cc
lmtp-deliver_SRC := $(wildcard deliver/lmtp/*.cc) \
  $(addprefix deliver/,connection.cc content.cc hosts.cc pool.cc reply.cc smtp_client.cc to_7bit.cc)
# two programs of one folder, each with its own main
post.office_SRC := $(filter-out dispatcher/story_main.cc,$(wildcard dispatcher/*.cc))
story_SRC       := $(addprefix dispatcher/,trace.cc trace_task.cc story_server.cc story_main.cc)

post.office_LIBS := form directory config net mail core
accounts_LIBS    := form directory net mail core
queue_LIBS       := store directory net mail core
smtpd_LIBS       := directory net mail core
pop3d_LIBS       := directory net mail core
wwwd_LIBS        := form directory net mail core
smtp-deliver_LIBS := net mail core
unix-deliver_LIBS := mail core
lmtp-deliver_LIBS := net mail core
story_LIBS       := mail core
fingerd_LIBS     := directory net mail core
# post.office runs account and form commands itself on a stopped system
post.office_EXTRA_DIR := accounts
post.office_LD   := -lcrypt
accounts_LD      := -lcrypt

# ---- rules ---------------------------------------------------------------------------------------------------------
obj = $(patsubst %.cc,$(B)/obj/%.o,$(1))
dir_src = $(filter-out %main.cc,$(wildcard $(1)/*.cc))

define library
$(B)/lib$(1).a: $(call obj,$($(1)_SRC))
	@rm -f $$@
	ar rcsD $$@ $$^
endef
$(foreach l,$(LIBS),$(eval $(call library,$(l))))

archives = $(foreach l,$(1),$(B)/lib$(l).a)
ld_flags = $(foreach l,$(1),$($(l)_LD))

define program
$(B)/bin/$(1): $(call obj,$(or $($(1)_SRC),$(wildcard $($(1)_DIR)/*.cc)) $(if $($(1)_EXTRA_DIR),$(call dir_src,$($(1)_EXTRA_DIR)))) $(call archives,$($(1)_LIBS))
	@mkdir -p $$(@D)
	$(CXX) $(LDFLAGS) -o $$@ $$^ $(call ld_flags,$($(1)_LIBS)) $($(1)_LD)
.PHONY: $(1)
$(1): $(B)/bin/$(1)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))
programs: $(PROGRAMS:%=$(B)/bin/%) $(B)/bin/sendmail $(B)/bin/maildrop

# sendmail starts once for each message that a script sends. What takes time in it is the loading of libraries, so all
# but libc are linked in, from objects of their own: {fmt} comes as a header.
sendmail_SRC := $(wildcard smtpd/sendmail/*.cc) \
  $(addprefix lib/,address.cc address_list.cc config.cc config_read.cc error.cc header.cc net_address.cc text.cc)
$(B)/start/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) -DFMT_HEADER_ONLY $(CXXFLAGS) -ffunction-sections -fdata-sections -MMD -MP -c -o $@ $<
$(B)/bin/sendmail: $(sendmail_SRC:%.cc=$(B)/start/%.o)
	@mkdir -p $(@D)
	$(CXX) $(LDFLAGS) -static-libstdc++ -static-libgcc -Wl,--gc-sections -o $@ $^ \
	  -Wl,-Bstatic -lidn2 -lunistring -Wl,-Bdynamic
.PHONY: sendmail
sendmail: $(B)/bin/sendmail

# The setuid helper: of libc alone, and without the sanitizers, which obey the environment.
$(B)/bin/maildrop: maildrop-setuid/maildrop.cc
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(filter-out -fsanitize% -fno-sanitize%,$(CXXFLAGS)) -fno-exceptions -fno-rtti \
	  $(filter-out -fsanitize%,$(LDFLAGS)) -o $@ $<
.PHONY: maildrop
maildrop: $(B)/bin/maildrop

# ---- unit tests: one binary per folder under tests/unit --------------------------------------------------------------
UNIT := lib store directory form accounts queue smtpd sendmail pop3d wwwd deliver fingerd dispatcher walls
unit_lib_LIBS        := config net mail core
unit_store_LIBS      := store core
unit_directory_LIBS  := directory mail core
unit_form_LIBS       := form directory mail core
unit_accounts_LIBS   := form directory net mail core
unit_queue_LIBS      := store directory net mail core
unit_smtpd_LIBS      := directory net mail core
unit_sendmail_LIBS   := config mail core
unit_pop3d_LIBS      := directory net mail core
unit_wwwd_LIBS       := form directory net mail core
unit_deliver_LIBS    := net mail core
unit_fingerd_LIBS    := directory net mail core
unit_dispatcher_LIBS := form directory config net mail core
unit_walls_LIBS      := core
unit_accounts_LD     := -lcrypt
unit_dispatcher_LD   := -lcrypt
unit_accounts_DIRS   := accounts
unit_queue_DIRS      := queue
unit_smtpd_DIRS      := smtpd
unit_sendmail_DIRS   := smtpd/sendmail
unit_pop3d_DIRS      := pop3d
unit_wwwd_DIRS       := wwwd
unit_deliver_DIRS    := deliver deliver/unix deliver/lmtp
unit_fingerd_DIRS    := fingerd
unit_dispatcher_DIRS := dispatcher accounts

define unit
$(B)/tests/unit_$(1): $(call obj,tests/unit/main.cc $(wildcard tests/unit/$(1)/*.cc) $(foreach d,$(unit_$(1)_DIRS),$(call dir_src,$(d)))) $(call archives,$(unit_$(1)_LIBS))
	@mkdir -p $$(@D)
	$(CXX) $(LDFLAGS) -o $$@ $$^ $(call ld_flags,$(unit_$(1)_LIBS)) $(unit_$(1)_LD)
.PHONY: unit_$(1)
unit_$(1): $(B)/tests/unit_$(1)
endef
$(foreach u,$(UNIT),$(eval $(call unit,$(u))))

# ---- fuzz targets: tests/fuzz/NAME_fuzz.cc, linked with what their line names --------------------------------------------
FUZZ := $(patsubst tests/fuzz/%_fuzz.cc,%,$(wildcard tests/fuzz/*_fuzz.cc))
FUZZ_LIBS := form directory config net mail core
FUZZ_SECONDS ?= 600
fuzz_smtp_command_DIRS := smtpd
fuzz_smtp_session_DIRS := smtpd
fuzz_bdat_DIRS         := smtpd
fuzz_sendmail_scan_DIRS := smtpd/sendmail
fuzz_pop3_command_DIRS := pop3d
fuzz_pop3_session_DIRS := pop3d
fuzz_finger_query_DIRS := fingerd
fuzz_http_request_DIRS := wwwd
fuzz_form_query_DIRS   := wwwd
fuzz_json_DIRS         := wwwd
fuzz_multipart_DIRS    := wwwd
fuzz_smtp_reply_DIRS   := deliver
fuzz_smtp_client_DIRS  := deliver
fuzz_to_7bit_DIRS      := deliver
fuzz_mbox_DIRS         := deliver deliver/unix
fuzz_bounce_DIRS       := queue
fuzz_bounce_LIBS       := store
fuzz_web_words_DIRS    := accounts
fuzz_web_words_LD      := -lcrypt

define fuzz
$(B)/tests/fuzz_$(1): $(call obj,tests/fuzz/$(1)_fuzz.cc $(foreach d,$(fuzz_$(1)_DIRS),$(call dir_src,$(d)))) $(if $(filter fuzz,$(V)),,$(call obj,tests/fuzz/replay.cc)) $(call archives,$(fuzz_$(1)_LIBS) $(FUZZ_LIBS))
	@mkdir -p $$(@D)
	$(CXX) $(LDFLAGS) $(if $(filter fuzz,$(V)),-fsanitize=fuzzer) -o $$@ $$^ $(call ld_flags,$(fuzz_$(1)_LIBS) $(FUZZ_LIBS)) $(fuzz_$(1)_LD)
endef
$(foreach f,$(FUZZ),$(eval $(call fuzz,$(f))))

# ---- programs that tests and benchmarks start: sources, libraries in link order -----------------------------------------
TEST_PROGRAMS := dns_probe deliver_probe store_churn store_fill store_waiting rogue wall_table queue_faulty_store queue_faulty \
  queue_later power
# one question to a real DNS server (tests/system/dns_probe)
dns_probe_SRC  := tests/system/dns_probe.cc
dns_probe_LIBS := net mail core
# one job, or many, to a real smtp-deliver (tests/system/deliver_probe)
deliver_probe_SRC  := tests/system/deliver_probe.cc
deliver_probe_LIBS := core
# what becomes of the store in long use, and a full one
store_churn_SRC  := tests/bench/store_churn.cc
store_churn_LIBS := store core
store_fill_SRC   := tests/bench/store_fill.cc
store_fill_LIBS  := store core
# what mail that leaves costs the store
store_waiting_SRC  := tests/bench/store_waiting.cc
store_waiting_LIBS := store core
# a server that was taken over (tests/system/test_rogue.py)
rogue_SRC  := tests/walls/rogue.cc
rogue_LIBS := net mail core
# the table of what each row of lib/sandbox.cc is refused, call by call
wall_table_SRC  := tests/walls/wall_table.cc $(filter-out %_test.cc,$(wildcard tests/unit/walls/*.cc))
wall_table_LIBS := core
# queue on a store that fails at random, and on a disk that fails as ordered (tests/system/test_faulty_*.py)
queue_faulty_store_SRC  := tests/system/open_faulty_store.cc $(filter-out queue/open_store.cc,$(wildcard queue/*.cc))
queue_faulty_store_LIBS := $(queue_LIBS)
queue_faulty_SRC        := $(wildcard queue/*.cc) tests/power/calls.cc tests/power/ordered_faults.cc
queue_faulty_LIBS       := $(queue_LIBS)
# queue on another day (tests/system/test_later.py)
queue_later_SRC         := $(wildcard queue/*.cc) tests/system/later_clock.cc
queue_later_LIBS        := $(queue_LIBS)
# loss of power: the store with the system calls under it watched
power_SRC  := $(filter-out tests/power/ordered_faults.cc,$(wildcard tests/power/*.cc))
power_LIBS := store core

define test_program
$(B)/tests/$(1): $(call obj,$($(1)_SRC)) $(call archives,$($(1)_LIBS))
	@mkdir -p $$(@D)
	$(CXX) $(LDFLAGS) -o $$@ $$^ $(call ld_flags,$($(1)_LIBS))
endef
$(foreach p,$(TEST_PROGRAMS),$(eval $(call test_program,$(p))))

power-tests: $(B)/tests/power $(B)/tests/queue_faulty
unit-tests: $(UNIT:%=$(B)/tests/unit_%) \
  $(addprefix $(B)/tests/,dns_probe deliver_probe store_churn rogue queue_faulty_store queue_later wall_table)
fuzz-targets: $(FUZZ:%=$(B)/tests/fuzz_%)

check: unit-tests fuzz-targets
	tests/unit/run $(B)

fuzz:
	$(MAKE) V=fuzz fuzz-targets
fuzz-run: fuzz
	tests/fuzz/run --build build/fuzz --seconds $(FUZZ_SECONDS)

# ---- objects ---------------------------------------------------------------------------------------------------------
# Tests are compiled for the time it takes; the runner itself needs no sanitizer.
$(B)/obj/tests/%.o: CXXFLAGS += -O1
$(B)/obj/tests/unit/main.o: CXXFLAGS += -fno-sanitize=all -O0 -U_FORTIFY_SOURCE
$(B)/obj/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<

# which the assembler takes in
$(B)/obj/wwwd/static_files.o: wwwd/static/style.css wwwd/static/comfort.js wwwd/static/icon.svg

FOLDERS := lib dispatcher accounts smtpd pop3d wwwd deliver fingerd queue maildrop-setuid tests
SOURCES := $(shell find $(FOLDERS) -name '*.cc')
HEADERS = $(shell find $(FOLDERS) -name '*.h')
-include $(patsubst %.cc,$(B)/obj/%.d,$(SOURCES)) $(sendmail_SRC:%.cc=$(B)/start/%.d)

format:
	clang-format -i $(SOURCES) $(HEADERS)
check-format:
	clang-format --dry-run -Werror $(SOURCES) $(HEADERS)
lint: build/compile_commands.json
	clang-tidy -quiet -p build $(filter-out tests/%,$(SOURCES))
build/compile_commands.json: Makefile
	@mkdir -p build
	@{ echo '['; sep=; for f in $(SOURCES); do printf '%s{"directory":"%s","file":"%s","command":"g++ %s -c %s"}' "$$sep" "$(CURDIR)" "$$f" "$(subst ",,$(CPPFLAGS) $(filter-out -Werror,$(CXXFLAGS)))" "$$f"; sep=','; done; echo ']'; } > $@
compile_commands.json: build/compile_commands.json
clean:
	rm -rf build

.PHONY: all programs check unit-tests power-tests fuzz-targets fuzz fuzz-run format check-format lint compile_commands.json clean
.DELETE_ON_ERROR:
