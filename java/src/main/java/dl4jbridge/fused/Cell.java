package dl4jbridge.fused;

import java.util.function.Supplier;
import org.deeplearning4j.nn.conf.RNNFormat;
import org.deeplearning4j.nn.conf.layers.AbstractLSTM;
import org.nd4j.linalg.activations.impl.ActivationSigmoid;
import org.nd4j.linalg.activations.impl.ActivationTanH;

/**
 * A kind of recurrent cell: the DL4J layer that is saved and loaded, the fused layer that computes it, and what its
 * weights hold. Everything else asks here which cell it has; {@link Cells} lists them.
 *
 * <p>All cells have the four gate columns of {@link Gates} and the {@link LstmEquations}.
 */
public final class Cell {
    private final String name;
    private final Class<? extends AbstractLSTM> stock;
    private final Class<? extends AbstractLSTM> fused;
    private final Supplier<AbstractLSTM.Builder<?>> builder;
    private final boolean peepholes;
    private final boolean stockMasksGradient;

    /**
     * @param name     value of the setting {@code cell}
     * @param stock    DL4J's configuration class
     * @param fused    ours, a subclass of it that implements {@link FusedCell}
     * @param builder  makes DL4J's builder of {@code stock}
     * @param peepholes           true if RW has peephole columns
     * @param stockMasksGradient  true if DL4J hands the mask to the backward pass of its layer
     */
    Cell(String name, Class<? extends AbstractLSTM> stock, Class<? extends AbstractLSTM> fused,
            Supplier<AbstractLSTM.Builder<?>> builder, boolean peepholes, boolean stockMasksGradient) {
        this.name = name;
        this.stock = stock;
        this.fused = fused;
        this.builder = builder;
        this.peepholes = peepholes;
        this.stockMasksGradient = stockMasksGradient;
    }

    public String name() {
        return name;
    }

    public Class<? extends AbstractLSTM> stock() {
        return stock;
    }

    public Class<? extends AbstractLSTM> fused() {
        return fused;
    }

    /** A new builder of the stock layer, with DL4J's defaults: sigmoid gates, forget-gate bias 1. */
    public AbstractLSTM.Builder<?> builder() {
        return builder.get();
    }

    public boolean hasPeepholes() {
        return peepholes;
    }

    boolean stockMasksGradient() {
        return stockMasksGradient;
    }

    /** True for a layer that the fused one computes: tanh, sigmoid gates, [batch, size, time], on the CPU. */
    static boolean covers(AbstractLSTM layer) {
        return hasTanhAndSigmoid(layer) && layer.getRnnDataFormat() != RNNFormat.NWC && FusedLayers.onCpu();
    }

    /** True for the usual activations: tanh, and sigmoid gates. */
    public static boolean hasTanhAndSigmoid(AbstractLSTM layer) {
        return layer.getActivationFn() instanceof ActivationTanH
                && layer.getGateActivationFn() instanceof ActivationSigmoid;
    }

    @Override
    public String toString() {
        return name;
    }
}
