################################################################################
#
# kiirtee
#
################################################################################

# The repository that this folder is in.
KIIRTEE_SITE = $(realpath $(BR2_EXTERNAL_KIIRTEE_PATH)/..)
KIIRTEE_SITE_METHOD = local
KIIRTEE_LICENSE = MIT or Apache-2.0
KIIRTEE_LICENSE_FILES = LICENSE-MIT LICENSE-APACHE
# RocksDB and aws-lc are compiled from their crates; bindgen reads their headers with libclang.
KIIRTEE_DEPENDENCIES = host-clang host-cmake host-kiirtee host-pkgconf
HOST_KIIRTEE_DEPENDENCIES = host-cmake host-pkgconf
KIIRTEE_PROGRAMS = kiirtee-proxy kiirtee-signer kiirtee-confclient kiirtee-appliance kiirtee-initrd
KIIRTEE_CARGO_BUILD_OPTS = -p proxy -p signer -p confclient -p appliance -p image-initrd
KIIRTEE_CARGO_ENV = LIBCLANG_PATH=$(HOST_DIR)/lib
HOST_KIIRTEE_CARGO_BUILD_OPTS = -p image-mkimage

# Buildroot vendors crates when it downloads a package; a local one is not downloaded.
define KIIRTEE_VENDOR
	mkdir -p $(@D)/.cargo
	cd $(@D) && $(HOST_MAKE_ENV) $(PKG_COMMON_CARGO_ENV) cargo vendor --locked VENDOR > .cargo/config.toml
endef
KIIRTEE_PRE_BUILD_HOOKS += KIIRTEE_VENDOR
HOST_KIIRTEE_PRE_BUILD_HOOKS += KIIRTEE_VENDOR

define KIIRTEE_INSTALL_TARGET_CMDS
	$(foreach program,$(KIIRTEE_PROGRAMS),
		$(INSTALL) -D -m 0755 $(@D)/target/$(RUSTC_TARGET_NAME)/release/$(program) $(TARGET_DIR)/usr/bin/$(program)
	)
endef

# Not under its own name, which is that of U-Boot's program.
define HOST_KIIRTEE_INSTALL_CMDS
	$(INSTALL) -D -m 0755 $(@D)/target/release/mkimage $(HOST_DIR)/bin/kiirtee-mkimage
endef

$(eval $(cargo-package))
$(eval $(host-cargo-package))
